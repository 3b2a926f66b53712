/** Ends the parsing of a `match` with what is wrong and the way out: a part of a sentence, without a full stop. */
export type Fail = (problem: string) => never
