/** One option of a command, as `node:util` parseArgs reads it; every option but switches takes a value. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean'
  /** Said in help; for values the placeholder comes first, e.g. `<role>`. */
  readonly help: string
  readonly required?: boolean
  /** It may be given several times: its values are in `lists`. */
  readonly multiple?: boolean
  /** A letter that is short for it. */
  readonly short?: string
}

/** What a command gets: its arguments by name, its options, and where to print. */
export interface CommandInput {
  readonly args: Readonly<Record<string, string | undefined>>
  readonly options: Readonly<Record<string, string | boolean | undefined>>
  /** The values of options that may be given several times. */
  readonly lists: Readonly<Record<string, readonly string[]>>
  readonly env: NodeJS.ProcessEnv
  readonly cwd: string
  readonly output: Output
}

/** A command: `skerry <noun> <verb> <arguments> <options>`. */
export interface Command {
  /** The words that call it, e.g. `token create`. */
  readonly name: string
  /** In order; `name?` is optional. */
  readonly args?: readonly string[]
  readonly options?: Readonly<Record<string, OptionSpec>>
  /** One line. */
  readonly summary: string
  /** Resolves to the exit code; nothing = 0. Throws Failure for what the user should read. */
  run(input: CommandInput): Promise<number | undefined>
}

/** Prints results: for people, or with `--json` for programs. */
export interface Output {
  readonly json: boolean
  /** `value` as JSON with `--json`, else `lines`. */
  result(value: unknown, lines: readonly string[]): void
  /** Rows under headings, aligned; with `--json`, `value`. `empty` is said when there is no row. */
  table(
    value: unknown,
    headings: readonly string[],
    rows: readonly (readonly string[])[],
    empty: string,
  ): void
  /** Green, red or dim text, where colours are wanted. */
  paint(colour: 'good' | 'bad' | 'dim', text: string): string
}

/** How the command is written, e.g. `token revoke <id>`. */
export function usageOf(command: Command): string {
  const args = (command.args ?? []).map(arg => (arg.endsWith('?') ? `[${arg.slice(0, -1)}]` : `<${arg}>`))
  return [command.name, ...args].join(' ')
}
