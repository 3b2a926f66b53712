/**
 * A promise that another request made, as this request's own: to be awaited in its place. It fails if nothing has
 * come of it within `giveUpMs`, as its request may be gone.
 *
 * Both were met in workerd (2026-11-17). Code that awaited a promise of a second request, which itself hung on a third
 * one's, went on as a part of the second: its response could not be sent ("Cannot perform I/O on behalf of a different
 * request"); a promise that is made here goes on here. And a request that waited only for the `waitUntil` of another
 * that had answered already was ended as hung; with a timer it waits for something of its own.
 *
 * Whoever makes a promise for others gives it to `waitUntil`: without, it comes to nothing when its request is over.
 */
export function asOwn<T>(shared: Promise<T>, giveUpMs = 5000): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(new Error(`nothing came within ${giveUpMs} ms`)), giveUpMs)
  shared.then(resolve, reject)
  return promise.finally(() => clearTimeout(timer))
}
