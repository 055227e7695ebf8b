import { errorCode } from './errors.js';

/** Whether a process of this machine is alive. A process of another user counts as alive, although it cannot be signalled. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) !== 'ESRCH';
  }
}
