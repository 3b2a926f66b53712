import type { EdgeEnv, StateEnv } from '../../src/env.ts'
import { repeatWhileAway } from '../../src/roles.ts'
import type { Refused } from './failures.ts'
import type { Bucket, Found, NewObject, NewPart } from './object.ts'
import type {
  BucketStats,
  GetOptions,
  ListOptions,
  ObjectInfo,
  ObjectList,
  ObjectMetadata,
  UploadedPart,
} from './types.ts'

/** What of a bucket's object is asked from other processes too. Each can be repeated: done twice, it is done once. */
export interface BucketCalls {
  find(key: string, options?: GetOptions): Promise<Found | Refused>
  list(options: ListOptions): Promise<ObjectList | Refused>
  begin(): Promise<string | Refused>
  touch(blob: string): Promise<void>
  giveUp(blob: string): Promise<void>
  put(added: NewObject): Promise<ObjectInfo | Refused>
  delete(keys: readonly string[]): Promise<Refused | undefined>
  createUpload(key: string, metadata: ObjectMetadata): Promise<string | Refused>
  putPart(key: string, uploadId: string, part: NewPart): Promise<Refused | undefined>
  complete(
    key: string,
    uploadId: string,
    wanted: readonly UploadedPart[],
    version: string,
  ): Promise<ObjectInfo | Refused>
  abortUpload(key: string, uploadId: string): Promise<Refused | undefined>
  stats(): Promise<BucketStats>
  closeIfEmpty(): Promise<boolean>
}

/** A call of a bucket's object, as it goes from process to process. */
export interface BucketCall {
  readonly method: keyof BucketCalls
  readonly args: readonly unknown[]
}

const METHODS: Readonly<Record<keyof BucketCalls, true>> = {
  find: true,
  list: true,
  begin: true,
  touch: true,
  giveUp: true,
  put: true,
  delete: true,
  createUpload: true,
  putPart: true,
  complete: true,
  abortUpload: true,
  stats: true,
  closeIfEmpty: true,
}

/** The object of a bucket, in the state role. */
export function bucketStub(env: StateEnv, accountId: string, bucketId: string): DurableObjectStub<Bucket> {
  return env.BUCKET.get(env.BUCKET.idFromName(`${accountId}/${bucketId}`))
}

/** Carries out a call that came from another process. */
export async function callBucket(
  env: StateEnv,
  accountId: string,
  bucketId: string,
  { method, args }: BucketCall,
): Promise<unknown> {
  if (!Object.hasOwn(METHODS, method)) throw new TypeError(`a bucket has no call "${method}"`)
  const calls = bucketStub(env, accountId, bucketId) as unknown as Record<string, Call>
  return calls[method]?.(...args)
}

type Call = (...args: readonly unknown[]) => Promise<unknown>

/** The calls of a bucket, wherever its object is. */
export function bucketCalls(env: EdgeEnv | StateEnv, accountId: string, bucketId: string): BucketCalls {
  if ('BUCKET' in env) return bucketStub(env, accountId, bucketId) as unknown as BucketCalls
  const { STATE: state } = env
  if (!state) throw new Error('the process has neither the state role nor a way to it')
  const call =
    (method: keyof BucketCalls) =>
    (...args: unknown[]) =>
      repeatWhileAway(() => state.callBucket(accountId, bucketId, { method, args }))
  const calls = Object.keys(METHODS).map(method => [method, call(method as keyof BucketCalls)])
  return Object.fromEntries(calls) as unknown as BucketCalls
}
