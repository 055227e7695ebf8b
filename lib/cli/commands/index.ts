import type { Command } from '../command.js';
import { completion } from './completion.js';
import { copy } from './copy.js';
import { create } from './create.js';
import { deleteBackups, purge } from './delete.js';
import { diff } from './diff.js';
import { drill } from './drill.js';
import { gc } from './gc.js';
import { get } from './get.js';
import { list } from './list.js';
import { pin, unpin } from './pin.js';
import { points } from './points.js';
import { probe } from './probe.js';
import { prune } from './prune.js';
import { recover } from './recover.js';
import { report } from './report.js';
import { restore } from './restore.js';
import { scan } from './scan.js';
import { show } from './show.js';
import { stats } from './stats.js';
import { status } from './status.js';
import { verify } from './verify.js';
import { watch } from './watch.js';

/** All commands, in the order of the help text. */
export const commands: readonly Command[] = [
  create,
  list,
  show,
  verify,
  restore,
  recover,
  points,
  deleteBackups,
  prune,
  purge,
  gc,
  copy,
  probe,
  stats,
  status,
  report,
  drill,
  diff,
  pin,
  unpin,
  get,
  scan,
  watch,
  completion,
];
