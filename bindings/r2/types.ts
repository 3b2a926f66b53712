/** What of an object's description is HTTP's: absent fields were not given. */
export interface HttpMetadata {
  readonly contentType?: string
  readonly contentLanguage?: string
  readonly contentDisposition?: string
  readonly contentEncoding?: string
  readonly cacheControl?: string
  /** Milliseconds since the epoch. */
  readonly cacheExpiry?: number
}

/** What is written down of an object beside its bytes. */
export interface ObjectMetadata {
  readonly httpMetadata?: HttpMetadata
  readonly customMetadata?: Readonly<Record<string, string>>
  /** `Standard` or `InfrequentAccess`; it changes nothing here but what is said. */
  readonly storageClass?: string
}

/** An object as the bucket knows it. */
export interface ObjectInfo extends Required<ObjectMetadata> {
  readonly key: string
  /** 32 hex digits, another one at each write. */
  readonly version: string
  /** Bytes. */
  readonly size: number
  /** MD5 in hex; of an upload in parts, `<MD5 of the parts' MD5s>-<number of parts>`. Without quotes. */
  readonly etag: string
  /** Milliseconds since the epoch. */
  readonly uploaded: number
  /** In hex: MD5 of what was written at once, and what the writer named. */
  readonly checksums: Checksums
}

/** A digest's name, as the options of a put have it. */
export type Algorithm = 'md5' | 'sha1' | 'sha256' | 'sha384' | 'sha512'

/** Digests in hex, lower case. */
export type Checksums = { readonly [A in Algorithm]?: string }

/** One tag of If-Match or If-None-Match. */
export type EtagCondition =
  | { readonly type: 'strong' | 'weak'; readonly value: string }
  | { readonly type: 'wildcard' }

/** When an operation is to happen; all that is given must hold. Times in milliseconds since the epoch. */
export interface Conditional {
  readonly etagMatches?: readonly EtagCondition[]
  readonly etagDoesNotMatch?: readonly EtagCondition[]
  readonly uploadedBefore?: number
  readonly uploadedAfter?: number
  /** Dates came from headers: the upload's time is compared without its milliseconds. */
  readonly secondsGranularity?: boolean
}

/** Part of an object: from `offset` on, or the last `suffix` bytes. */
export interface RangeOptions {
  readonly offset?: number
  readonly length?: number
  readonly suffix?: number
}

/** Bytes of an object that were really read. */
export interface ReadRange {
  readonly offset: number
  readonly length: number
}

export interface GetOptions {
  readonly onlyIf?: Conditional
  readonly range?: RangeOptions
  /** A Range header's value; wins over `range`. One that isn't understood is the whole object. */
  readonly rangeHeader?: string
}

export interface PutOptions extends ObjectMetadata {
  readonly onlyIf?: Conditional
  /** What the bytes must hash to, in hex; another one is 10037. */
  readonly checksums?: Checksums
}

export interface ListOptions {
  /** 1 to 1,000, the default. */
  readonly limit?: number
  readonly prefix?: string
  /** As an earlier page gave it. */
  readonly cursor?: string
  readonly delimiter?: string
  /** Keys after this one. */
  readonly startAfter?: string
  /** With either, at most 100 objects come at a time. */
  readonly include?: readonly ('httpMetadata' | 'customMetadata')[]
}

/** One page, in the order of the keys' UTF-8. */
export interface ObjectList {
  /** Without the metadata that wasn't asked for. */
  readonly objects: readonly ObjectInfo[]
  readonly truncated: boolean
  /** Of the next page, if there is one. */
  readonly cursor?: string
  readonly delimitedPrefixes: readonly string[]
}

/** A part that was uploaded, as its uploader names it. */
export interface UploadedPart {
  /** 1 to 10,000. */
  readonly partNumber: number
  readonly etag: string
}

/** What a bucket holds. */
export interface BucketStats {
  readonly objects: number
  /** Of its objects, not of what uploads in parts have so far. */
  readonly bytes: number
  /** Uploads in parts that aren't complete. */
  readonly uploads: number
}
