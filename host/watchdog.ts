import { spawn } from 'node:child_process'

/**
 * Makes sure that a process doesn't outlive us, however we end: a shell that waits on a pipe from us, and kills
 * the process when the pipe breaks. A negative pid means that process group, as in kill(2). Call the returned
 * function as soon as the process has ended.
 */
export function watchOver(pid: number): () => void {
  const shell = spawn(
    '/bin/sh',
    ['-c', 'read -r line; kill -s KILL -- "$1" 2>/dev/null', 'sh', String(pid)],
    {
      stdio: ['pipe', 'ignore', 'ignore'],
      // Of its own session, so that Ctrl-C, or a kill of our process group, doesn't take it first.
      detached: true,
      env: {},
    },
  )
  // Without a shell the next start still finds the process by its record.
  shell.on('error', () => {})
  shell.stdin.on('error', () => {})
  // Nothing to wait for, when everything else of ours is done.
  shell.unref()
  return () => {
    // Before the pipe breaks: the pid may be another process's by now.
    shell.kill('SIGKILL')
  }
}
