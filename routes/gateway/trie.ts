import type { RoutedRequest } from './conditions.ts'
import { allowsMethod, findFailure } from './conditions.ts'
import { compareLeaves, type Leaf } from './leaf.ts'
import type { Segment } from './segment.ts'

/**
 * The routes of one host pattern, by path.
 *
 * Going down, a segment's branches are tried from the most to the least specific, so the first leaf that is found is
 * the best of its priority; from then on only branches with a higher priority are looked at. Each branch is entered
 * once at most, so a path costs no more than there are branches that it fits, however they are nested.
 */
export class Trie<T> {
  /** Patterns without parameters, by their whole path: the usual case, found at once. */
  readonly #whole = new Map<string, Leaf<T>[]>()
  readonly #root: Node<T> = createNode()
  #top = Number.NEGATIVE_INFINITY

  /** Adds a leaf; after the last one, call `seal`. */
  add(leaf: Leaf<T>): void {
    this.#top = Math.max(this.#top, leaf.priority)
    const { segments } = leaf.pattern
    if (segments.every(segment => segment.kind === 'literal')) {
      const path = segments.map(({ text }) => `/${text}`).join('')
      push(this.#whole, path, leaf)
      return
    }
    let node = this.#root
    node.top = Math.max(node.top, leaf.priority)
    for (const segment of segments) {
      if (segment.kind === 'rest') {
        if (segment.prefix === '') node.rests.push(leaf)
        else {
          node.prefixes ??= { lengths: [], leaves: new Map() }
          push(node.prefixes.leaves, segment.prefix, leaf)
        }
        return
      }
      node = childOf(node, segment)
      node.top = Math.max(node.top, leaf.priority)
    }
    node.ends.push(leaf)
  }

  /** Puts everything into the order in which it is tried. */
  seal(): void {
    for (const leaves of this.#whole.values()) leaves.sort(compareLeaves)
    sealNode(this.#root)
  }

  /** Tries all that fits the path, and may beat what the search has found already. */
  search(search: Search<T>): void {
    if (this.#top <= search.top) return
    const whole = this.#whole.get(search.whole)
    if (whole) search.take(whole)
    if (this.#root.top > search.top) visit(this.#root, 1, search)
  }
}

/** One question to tries; used again and again, so that asking allocates nothing. */
export class Search<T> {
  /** The path's key. */
  key = ''
  /** The key without the trailing slash that is ignored. */
  whole = ''
  /** Whether `*` after a slash stands for nothing with its slash, too. */
  ignoresTrailingSlash = true
  request: RoutedRequest = NO_REQUEST
  /** What was found, and its priority. */
  best: Leaf<T> | undefined
  top = Number.NEGATIVE_INFINITY
  /** If set, nothing is found: the methods of routes that only want another one are collected. */
  methods: Set<string> | undefined

  /** Takes the first leaf whose conditions hold. */
  take(leaves: readonly Leaf<T>[]): void {
    if (this.methods) {
      collectMethods(leaves, this.request, this.methods)
      return
    }
    for (const leaf of leaves) {
      if (leaf.priority <= this.top) return
      const { conditions } = leaf
      if (conditions) {
        if (!allowsMethod(conditions, this.request.method)) continue
        if (findFailure(conditions, this.request)) continue
      }
      this.best = leaf
      this.top = leaf.priority
      return
    }
  }

  /** Makes it ready for the next question, and lets go of the request. */
  reset(): void {
    this.request = NO_REQUEST
    this.best = undefined
    this.top = Number.NEGATIVE_INFINITY
    this.methods = undefined
  }
}

interface Node<T> {
  /** The highest priority at or below. */
  top: number
  literals: Map<string, Node<T>> | undefined
  affixes: Affixes<T> | undefined
  prefixes: Prefixes<T> | undefined
  param: Node<T> | undefined
  readonly rests: Leaf<T>[]
  readonly ends: Leaf<T>[]
}

/** `:name`s with a prefix or suffix: by how long both are, then by what they are. */
interface Affixes<T> {
  readonly shapes: { prefix: number; suffix: number }[]
  readonly nodes: Map<string, Node<T>>
}

/** `prefix*`: by how long the prefix is, then by what it is. */
interface Prefixes<T> {
  lengths: number[]
  readonly leaves: Map<string, Leaf<T>[]>
}

function visit<T>(node: Node<T>, start: number, search: Search<T>): void {
  const { key, whole } = search
  if (start > whole.length) {
    if (node.ends.length > 0) search.take(node.ends)
    if (node.rests.length > 0 && search.ignoresTrailingSlash) search.take(node.rests)
    return
  }
  const slash = key.indexOf('/', start)
  const end = slash < 0 || slash > whole.length ? whole.length : slash
  if (node.literals) {
    const child = node.literals.get(key.slice(start, end))
    if (child && child.top > search.top) visit(child, end + 1, search)
  }
  if (end > start) {
    if (node.affixes) visitAffixes(node.affixes, start, end, search)
    if (node.prefixes) takePrefixes(node.prefixes, key.slice(start, end), search)
    if (node.param && node.param.top > search.top) visit(node.param, end + 1, search)
  }
  if (node.rests.length > 0) search.take(node.rests)
}

function visitAffixes<T>(affixes: Affixes<T>, start: number, end: number, search: Search<T>): void {
  const { key } = search
  for (const { prefix, suffix } of affixes.shapes) {
    if (end - start <= prefix + suffix) continue
    const child = affixes.nodes.get(`${key.slice(start, start + prefix)}/${key.slice(end - suffix, end)}`)
    if (child && child.top > search.top) visit(child, end + 1, search)
  }
}

function takePrefixes<T>({ lengths, leaves }: Prefixes<T>, segment: string, search: Search<T>): void {
  for (const length of lengths) {
    const found = length <= segment.length ? leaves.get(segment.slice(0, length)) : undefined
    if (found) search.take(found)
  }
}

function collectMethods<T>(leaves: readonly Leaf<T>[], request: RoutedRequest, methods: Set<string>): void {
  for (const { conditions } of leaves) {
    if (!conditions?.methods || findFailure(conditions, request)) continue
    for (const method of conditions.methods) methods.add(method)
  }
}

function childOf<T>(node: Node<T>, segment: Exclude<Segment, { kind: 'rest' }>): Node<T> {
  if (segment.kind === 'literal') {
    node.literals ??= new Map()
    return getOrCreate(node.literals, segment.text)
  }
  const { prefix, suffix } = segment
  if (prefix === '' && suffix === '') {
    node.param ??= createNode()
    return node.param
  }
  node.affixes ??= { shapes: [], nodes: new Map() }
  const { shapes, nodes } = node.affixes
  if (!shapes.some(shape => shape.prefix === prefix.length && shape.suffix === suffix.length)) {
    shapes.push({ prefix: prefix.length, suffix: suffix.length })
  }
  return getOrCreate(nodes, `${prefix}/${suffix}`)
}

function sealNode<T>(node: Node<T>): void {
  node.rests.sort(compareLeaves)
  node.ends.sort(compareLeaves)
  for (const child of node.literals?.values() ?? []) sealNode(child)
  if (node.affixes) {
    node.affixes.shapes.sort((a, b) => b.prefix + b.suffix - (a.prefix + a.suffix) || b.prefix - a.prefix)
    for (const child of node.affixes.nodes.values()) sealNode(child)
  }
  if (node.prefixes) {
    const { leaves } = node.prefixes
    node.prefixes.lengths = [...new Set([...leaves.keys()].map(({ length }) => length))].sort((a, b) => b - a)
    for (const list of leaves.values()) list.sort(compareLeaves)
  }
  if (node.param) sealNode(node.param)
}

function createNode<T>(): Node<T> {
  return {
    top: Number.NEGATIVE_INFINITY,
    literals: undefined,
    affixes: undefined,
    prefixes: undefined,
    param: undefined,
    rests: [],
    ends: [],
  }
}

function getOrCreate<T>(nodes: Map<string, Node<T>>, key: string): Node<T> {
  const known = nodes.get(key)
  if (known) return known
  const node = createNode<T>()
  nodes.set(key, node)
  return node
}

function push<T>(lists: Map<string, Leaf<T>[]>, key: string, leaf: Leaf<T>): void {
  const list = lists.get(key)
  if (list) list.push(leaf)
  else lists.set(key, [leaf])
}

const NO_REQUEST: RoutedRequest = { method: '', headers: { get: () => null }, url: '' }
