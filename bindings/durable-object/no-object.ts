import { DurableObject } from 'cloudflare:workers'

/** A class that has no objects and does nothing: isolates are given it for its type. @see ExportedObjects */
export class NoObject extends DurableObject {}
