/** What each field of the gateway file means, by its place; for editors and docs/gateway.md. Policies' are with their kinds. */
export const FIELD_WORDS: Readonly<Record<string, string>> = {
  script_hosts:
    'Which functions answer on <script>.<domain>: "unrouted" (those that no route leads to), "all" or "none".',
  trusted_proxies:
    'Addresses and networks whose Forwarded or X-Forwarded-For header is believed when it tells the client.',
  paths: 'How paths are compared with matches.',
  'paths.case': 'Whether "/A" and "/a" are the same path.',
  'paths.trailing_slash': 'Whether a slash at the end of a path counts.',
  'paths.encoded_slashes':
    'Whether "%2F" in a path is refused, or kept and matched as a part of its segment.',
  routes: 'What happens to which requests. The most exact match comes first, whatever their order.',
  'routes[].name': 'For metrics, logs and explain. Default: made of match and methods.',
  'routes[].match':
    '[host]/path, one or a list. ":name" stands for a segment, "*" at the end for all that is left. Without a host: every host that the file names, and names right below the account\'s domain.',
  'routes[].methods': 'The methods it is for; GET includes HEAD. Default: all.',
  'routes[].headers':
    'Headers that a request must have: a value, one of several, true for any value, false for none.',
  'routes[].query':
    'Query parameters that a request must have: a value, one of several, true for any value, false for none.',
  'routes[].priority': 'Higher comes first, before how exactly a route matches.',
  'routes[].script': 'The function that answers.',
  'routes[].version':
    'A version of the function in place of what is deployed: its id, or its newest by a tag.',
  'routes[].upstream': 'The server that answers: its URL, or several servers and how to treat them.',
  'routes[].upstream.servers': 'The servers that requests are spread over.',
  'routes[].upstream.servers[].url': "An http: or https: URL; its path goes in front of the request's.",
  'routes[].upstream.servers[].weight': 'Its share of the requests, beside those of the others; 0 = none.',
  'routes[].upstream.host':
    'The Host that the server sees: "upstream", its own. The client\'s is in X-Forwarded-Host.',
  'routes[].upstream.timeout_ms': "Milliseconds until the server's response head must be there.",
  'routes[].upstream.max_fails': 'After so many failures in a row a server is left out; 0 = never.',
  'routes[].upstream.fail_seconds': 'For how many seconds it is left out.',
  'routes[].redirect': 'Sends the caller elsewhere: where to, or a table.',
  'routes[].redirect.to': 'A URL or path, with the parameters of the match.',
  'routes[].redirect.status': 'The status; 308 keeps the method, 301 may not.',
  'routes[].redirect.keep_query': "Whether the request's query is added.",
  'routes[].respond': 'Answers with what stands here.',
  'routes[].respond.status': 'The status.',
  'routes[].respond.headers': 'Headers by name.',
  'routes[].respond.body': 'The body; "file:page.html" takes it from a file.',
  'routes[].rewrite': 'The path that the target sees, with the parameters of the match.',
  'routes[].use': 'Policies by name, in order: the first one sees the request first and the answer last.',
  'routes[].request_id': 'Whether answers carry skerry-request-id.',
  'routes[].server_timing': 'Whether answers carry Server-Timing.',
  'routes[].identity_headers':
    'Also tells the target who calls in a signed header; functions have it in ctx.props.identity anyway.',
  'routes[].identity_headers.secret': 'Signs it (HS256): "secret:NAME".',
  'routes[].identity_headers.ttl': 'Seconds that it is good for.',
  policies: 'Policies by the names that routes use them by.',
}
