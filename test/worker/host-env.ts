/** What a Worker has that runs a function itself, as the platform would. */
export interface HostEnv {
  readonly LOADER: WorkerLoader
  /** The function's code. */
  readonly DRIVER: string
}
