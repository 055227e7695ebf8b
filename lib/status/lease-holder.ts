import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Who wrote a lease: binding/core/stores/lease.cc has the text. */
export interface LeaseHolder {
  /** 'process 4711 on web1'. Undefined if the text is none of a lease. */
  name: string | undefined;
  /** It was a process of this machine, and has ended. */
  hasEnded: boolean;
}

export function leaseHolder(text: string): LeaseHolder {
  const [title, machine = '', process = ''] = text.split('\n');
  const [host] = machine.split(' ');
  const [pid, start] = process.split(' ');
  if (!title?.startsWith('rocksdb-backup lease ') || !host || !pid) {
    return { name: undefined, hasEnded: false };
  }
  const hasEnded = machine === thisMachine() && start !== undefined && startOf(pid) !== start;
  return { name: `process ${pid} on ${host}`, hasEnded };
}

/** Processes with the same text see each other's ends. Undefined where there is no /proc. */
function thisMachine(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${hostname()} ${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** The time at which a process began, in ticks since the start of the system. Undefined if there is no such process. */
function startOf(pid: string): string | undefined {
  try {
    const stat = readFileSync(`/proc/${Number(pid)}/stat`, 'utf8');
    return stat
      .slice(stat.lastIndexOf(')') + 1)
      .trim()
      .split(/\s+/)[19];
  } catch {
    return undefined;
  }
}
