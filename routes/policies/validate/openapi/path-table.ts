import { decodePercent } from '../pairs.ts'

/** What a path leads to, with the texts that stand in the place of its parameters, undecoded. */
export interface FoundPath<T> {
  readonly value: T
  readonly params: Readonly<Record<string, string>>
}

interface Node<T> {
  readonly literal: Map<string, Node<T>>
  /** Segments with parameters, those with the most text first. */
  patterns: { readonly text: string; readonly pattern: SegmentPattern; readonly node: Node<T> }[]
  leaf: { readonly value: T; readonly names: readonly string[] } | undefined
}

interface SegmentPattern {
  readonly names: readonly string[]
  /** How much of it is text. */
  readonly weight: number
  match(segment: string): readonly string[] | undefined
}

/**
 * Path templates such as `/orders/{id}` (OpenAPI, section "Path Templating"): what is literal goes before what isn't.
 *
 * A slash at the end counts for nothing, in templates and in paths: who checks must not be walked around by one.
 */
export class PathTable<T> {
  readonly #root: Node<T> = makeNode()

  /** @returns the names of its parameters; `undefined` if there is another that leads to the same paths */
  add(template: string, value: T): readonly string[] | undefined {
    let node = this.#root
    const names: string[] = []
    for (const segment of segmentsOf(template)) {
      const pattern = parseSegment(segment)
      if (pattern) names.push(...pattern.names)
      node = pattern ? patternNode(node, pattern, segment) : literalNode(node, segment)
    }
    if (node.leaf) return undefined
    node.leaf = { value, names }
    return names
  }

  find(path: string): FoundPath<T> | undefined {
    const texts: string[] = []
    const leaf = find(this.#root, segmentsOf(path), 0, texts)
    if (!leaf) return undefined
    const params = Object.fromEntries(leaf.names.map((name, i) => [name, texts[i] ?? '']))
    return { value: leaf.value, params }
  }
}

function find<T>(node: Node<T>, segments: readonly string[], at: number, texts: string[]): Node<T>['leaf'] {
  const segment = segments[at]
  if (segment === undefined) return node.leaf
  const literal = node.literal.get(decodePercent(segment))
  const leaf = literal && find(literal, segments, at + 1, texts)
  if (leaf) return leaf
  for (const { pattern, node: next } of node.patterns) {
    const found = pattern.match(segment)
    if (!found) continue
    texts.push(...found)
    const leaf = find(next, segments, at + 1, texts)
    if (leaf) return leaf
    texts.length -= found.length
  }
  return undefined
}

function segmentsOf(path: string): string[] {
  return path.replace(/^\//, '').replace(/\/$/, '').split('/')
}

function parseSegment(segment: string): SegmentPattern | undefined {
  const names = [...segment.matchAll(/\{([^{}]*)\}/g)].map(([, name = '']) => name)
  if (names.length === 0) return undefined
  const texts = segment.split(/\{[^{}]*\}/)
  const weight = texts.join('').length
  if (names.length === 1 && weight === 0)
    return { names, weight, match: text => (text === '' ? undefined : [text]) }
  const source = texts.map(text => text.replace(/[\\^$.*+?()[\]|]/g, '\\$&')).join('([^/]+?)')
  const expression = new RegExp(`^${source}$`)
  return {
    names,
    weight,
    match: text => (text.length > MAX_SEGMENT_CHARS ? undefined : expression.exec(text)?.slice(1)),
  }
}

function literalNode<T>(node: Node<T>, segment: string): Node<T> {
  const text = decodePercent(segment)
  const known = node.literal.get(text)
  if (known) return known
  const made = makeNode<T>()
  node.literal.set(text, made)
  return made
}

/** Parameters of other names lead to the same node. */
function patternNode<T>(node: Node<T>, pattern: SegmentPattern, segment: string): Node<T> {
  const text = segment.replace(/\{[^{}]*\}/g, '{}')
  const known = node.patterns.find(each => each.text === text)
  if (known) return known.node
  const made = makeNode<T>()
  node.patterns = [...node.patterns, { text, pattern, node: made }].sort(
    (a, b) => b.pattern.weight - a.pattern.weight,
  )
  return made
}

function makeNode<T>(): Node<T> {
  return { literal: new Map(), patterns: [], leaf: undefined }
}

/** Several parameters in a segment are looked for by an expression that takes quadratic time. */
const MAX_SEGMENT_CHARS = 1024
