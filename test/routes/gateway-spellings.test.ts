import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_PATHS, normalisePath, type PathOptions } from '../../routes/gateway/path.ts'
import { GatewayTable } from '../../routes/gateway/table.ts'

/**
 * A protected path beside a public catch-all: no spelling that some server may read as the protected path may end at
 * the catch-all. Each ends at the protected route or is refused.
 */

const REQUEST = { method: 'GET', headers: { get: () => null }, url: '' }

/** Where a path as it arrives ends, and what the target sees of it. */
function send(raw: string, paths: PathOptions, match = '/admin/users') {
  const table = new GatewayTable<'protected' | 'public'>()
  const entries = [
    { route: { match, priority: 0 }, value: 'protected' as const },
    { route: { match: '/*', priority: 0 }, value: 'public' as const },
  ]
  table.set('a', entries, { paths, workersDomain: 'localhost' })
  const normal = normalisePath(raw, paths)
  if (normal.refused !== undefined) return { end: 'refused', seen: undefined }
  return { end: table.match('app.localhost', normal.path, REQUEST)?.value, seen: normal.path }
}

const PROTECTED = [
  ['/admin/users', '/admin/users'],
  ['/admin/users/', '/admin/users/'],
  ['//admin/users', '/admin/users'],
  ['///admin///users', '/admin/users'],
  ['/admin//users//', '/admin/users/'],
  ['/./admin/users', '/admin/users'],
  ['/admin/./users', '/admin/users'],
  ['/admin/users/.', '/admin/users/'],
  ['/x/../admin/users', '/admin/users'],
  ['/admin/x/../users', '/admin/users'],
  ['/admin/users/x/..', '/admin/users/'],
  ['/../admin/users', '/admin/users'],
  ['/../../../admin/users', '/admin/users'],
  ['/%2e/admin/users', '/admin/users'],
  ['/%2E%2e/admin/users', '/admin/users'],
  ['/x/%2e%2e/admin/users', '/admin/users'],
  ['/x/.%2e/admin/users', '/admin/users'],
  ['/x/%2E./admin/users', '/admin/users'],
  ['/%61dmin/users', '/admin/users'],
  ['/%61%64%6d%69%6e/users', '/admin/users'],
  ['/%61%64%6D%69%6E/%75%73%65%72%73', '/admin/users'],
  ['/admin/user%73', '/admin/users'],
  ['/admin;x=1/users', '/admin;x=1/users'],
  ['/admin/users;jsessionid=0', '/admin/users;jsessionid=0'],
  ['/admin;/users;', '/admin;/users;'],
  ['/admin;a;b=2/users', '/admin;a;b=2/users'],
  ['/admin%3bx/users', '/admin%3Bx/users'],
  ['/admin/users%3B', '/admin/users%3B'],
  ['/ａdmin/users', '/%EF%BD%81dmin/users'],
  ['/%ef%bd%81%ef%bd%84min/users', '/%EF%BD%81%EF%BD%84min/users'],
  ['/admin/u%c5%bfers', '/admin/u%C5%BFers'],
  ['/%f0%9d%90%9admin/users', '/%F0%9D%90%9Admin/users'],
] as const

const REFUSED = [
  '/admin%2fusers',
  '/admin%2Fusers',
  '/%2fadmin/users',
  '/%2e%2e%2fadmin/users',
  '/x/..%2fadmin/users',
  '/x/..%5cadmin/users',
  '/admin%5cusers',
  '/admin\\users',
  '\\admin\\users',
  '/x\\..\\admin/users',
  '/admin%252fusers',
  '/%252e%252e/admin/users',
  '/%2561dmin/users',
  '/%25%36%31dmin/users',
  '/%252561dmin/users',
  '/admin%253bx/users',
  '/admin/users%00',
  '/admin%00/users',
  '/admin/users%00.html',
  '/admin/users%0a',
  '/admin%0d%0a/users',
  '/admin\t/users',
  '/adm\nin/users',
  '/admin/users ',
  '/admin%c0%afusers',
  '/admin%e0%80%afusers',
  '/admin%f0%80%80%afusers',
  '/admin%c1%9cusers',
  '/%c1%a1dmin/users',
  '/x/%c0%ae%c0%ae/admin/users',
  '/admin%efusers',
  '/%zzadmin/users',
  '/admin/users%',
  '/admin/%u0075sers',
  '/admin%ef%bc%8fusers',
  '/admin／users',
  '/admin%ef%bc%bcusers',
  '/x/%ef%bc%8e%ef%bc%8e/admin/users',
  '/x/%e2%80%a5/admin/users',
  '/x/..;/admin/users',
  '/x/..;a=b/admin/users',
  '/x/..%3b/admin/users',
  '/x/%2e%2e;/admin/users',
  '/.;/admin/users',
  '/;/admin/users',
  '/;x=1/admin/users',
  '/%3Bx/admin/users',
  '/admin/%3b/users',
  '/x//../admin/users',
  '/x//..//admin/users',
  '/admin/users#x',
  '/admin/users?x',
  'admin/users',
  'http://x/admin/users',
  '',
]

describe('/admin/users beside /*', () => {
  test.each(PROTECTED)('is protected as %j, and the target sees %s', (raw, seen) => {
    expect(send(raw, DEFAULT_PATHS)).toEqual({ end: 'protected', seen })
    expect(send(raw, DEFAULT_PATHS, '/admin/*').end).toBe('protected')
    expect(send(raw, DEFAULT_PATHS, '/:x/users').end).toBe('protected')
  })

  test.each(REFUSED)('is refused as %j', raw => {
    expect(send(raw, DEFAULT_PATHS)).toEqual({ end: 'refused', seen: undefined })
  })

  test('tells case: with "insensitive" every case is protected', () => {
    for (const raw of ['/ADMIN/users', '/Admin/Users', '/%41dmin/users', '/ＡＤＭＩＮ/users']) {
      expect(send(raw, DEFAULT_PATHS).end).toBe('public')
      expect(send(raw, { ...DEFAULT_PATHS, case: 'insensitive' }).end).toBe('protected')
    }
  })

  test('with encoded slashes kept, these are part of a name: the catch-all’s', () => {
    const keep = { ...DEFAULT_PATHS, encoded_slashes: 'keep' } as const
    expect(send('/admin%2fusers', keep)).toEqual({ end: 'public', seen: '/admin%2Fusers' })
    expect(send('/x/..%2fadmin/users', keep).end).toBe('refused')
  })

  const mostly = (usual: string, ...odd: string[]) =>
    fc.oneof({ weight: 12, arbitrary: fc.constant(usual) }, { weight: 4, arbitrary: fc.constantFrom(...odd) })
  const letter = (character: string) => {
    const code = character.charCodeAt(0)
    const hex = code.toString(16)
    const wide = String.fromCharCode(code + 0xfee0)
    return mostly(character, `%${hex}`, `%${hex.toUpperCase()}`, wide, encodeURIComponent(wide), `%25${hex}`)
  }
  const spell = (text: string) => fc.tuple(...[...text].map(letter)).map(letters => letters.join(''))
  const noise = mostly(
    ...([
      '',
      '/.',
      '/',
      '/x/..',
      '/%2e',
      '/x/.%2e',
      '/;',
      '/x/..;',
      '/..',
      '/x/%252e%252e',
      '\\x\\..',
    ] as const),
    ...['/x//..', '/x/..;a', '/%ef%bc%8e', '/x%2f..', '/%2e%2e', '/x;y/..'],
  )
  const slash = mostly('/', '//', '%2f', '%5c', '\\', '／', '%252f', '%c0%af')
  const tail = mostly('', ';', ';a=b', '%3b', '%253b', '/', '/.', '%00', ';/x/..')
  const spelling = fc
    .tuple(noise, slash, spell('admin'), tail, noise, slash, spell('users'), tail, noise)
    .map(parts => parts.join(''))

  const piece = fc.constantFrom(
    ...[
      '/',
      '/',
      '/',
      '/',
      'admin',
      'admin',
      'users',
      'users',
      'x',
      '.',
      '..',
      '%2e',
      ';',
      ';a',
      '%3b',
      '%61dmin',
    ],
    ...['ａdmin', '%25', '61', '2f', '3b', '．', '…', '%e2%80%a4', 'user%C5%BF', '%20', '\\', '\u0301'],
  )
  test('is protected or refused whatever it is put together from', () => {
    let open = 0
    fc.assert(
      fc.property(fc.array(piece, { minLength: 2, maxLength: 8 }), pieces => {
        const { end, seen } = send(`/${pieces.join('')}`, DEFAULT_PATHS)
        if (end !== 'public') return
        open++
        expect(readingsOf(seen ?? '')).not.toContain('/admin/users')
      }),
      { numRuns: 5000 },
    )
    expect(open).toBeGreaterThan(500)
  })

  test('is protected or refused however it is spelt', () => {
    const ends = new Map<unknown, number>()
    fc.assert(
      fc.property(spelling, raw => {
        const { end, seen } = send(raw, DEFAULT_PATHS)
        ends.set(end, (ends.get(end) ?? 0) + 1)
        if (end === 'public') expect(readingsOf(seen ?? '')).not.toContain('/admin/users')
      }),
      { numRuns: 5000 },
    )
    expect(ends.get('protected')).toBeGreaterThan(500)
    expect(ends.get('refused')).toBeGreaterThan(500)
    expect(ends.get('public')).toBeGreaterThan(10)
  })
})

/** What servers may make of a path, in whatever order they do it. */
function readingsOf(path: string): Set<string> {
  const readings = new Set([path])
  for (const reading of readings) {
    if (readings.size > 2000) throw new Error('too many readings')
    for (const step of STEPS) readings.add(step(reading))
  }
  return readings
}

const STEPS: readonly ((path: string) => string)[] = [
  path => {
    try {
      return decodeURIComponent(path)
    } catch {
      return path
    }
  },
  path => path.replace(/;[^/]*/g, ''),
  path => path.normalize('NFKC'),
  path => path.replaceAll('\\', '/'),
  path => path.replace(/\/+/g, '/'),
  path => path.replace(/(?<=\/)\.(?:\/|$)/g, ''),
  path => path.replace(/^\/\.\.(?=\/)|\/(?!\.\.\/)[^/]*\/\.\.(?=\/|$)/, ''),
  path => (path.length > 1 ? path.replace(/\/$/, '') : path),
]
