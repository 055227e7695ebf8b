// Ceph with its S3 gateway: one monitor, one disk in memory, one gateway.

import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { Teardown } from '../../fixtures/files.js';
import { tempDir } from '../../fixtures/files.js';
import { type Daemon, freePort, listens, ready, startDaemon } from './daemon.js';
import { missingPrograms } from './programs.js';

export interface CephServer {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Makes another user, who has no rights. */
  readonly addUser: (name: string) => { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** The gateway, which alone speaks S3. It ends as by SIGKILL. All data is elsewhere. */
  readonly gateway: { readonly kill: () => Promise<void>; readonly start: () => Promise<void> };
  /** Ceph keeps the data of deleted objects for hours. This gives their memory back now. */
  readonly collectGarbage: () => void;
}

/** Why Ceph cannot be started here, for `skip`. */
export const withoutCeph = () =>
  missingPrograms(
    ['ceph', 'ceph-mon', 'ceph-osd', 'radosgw', 'radosgw-admin'],
    ['ceph-mon', 'ceph-osd', 'radosgw', 'ceph-common'],
  );

/** The disk is in memory. */
export async function startCeph(t: Teardown, { diskBytes = 2 ** 31 } = {}): Promise<CephServer> {
  const dir = tempDir(t);
  for (const name of ['mon', 'osd', 'rgw']) mkdirSync(dir(name));
  const ports = { mon: await freePort(), gateway: await freePort() };
  const fsid = randomUUID();
  writeFileSync(dir('keyring'), '');
  writeFileSync(dir('ceph.conf'), configuration({ dir: dir(), fsid, ports, diskBytes }));
  const env = { CEPH_CONF: dir('ceph.conf') };
  const log = dir('out.log');

  const call = (command: string, ...args: string[]) =>
    spawnSync(command, args, { env: { ...process.env, ...env }, encoding: 'utf8', timeout: 60_000 });
  const must = (command: string, ...args: string[]) => {
    const { status, stderr } = call(command, ...args);
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
  };
  const isUp = async (...args: string[]) => call('ceph', '--connect-timeout', '2', 'osd', ...args).status === 0;

  must('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', `v2:127.0.0.1:${ports.mon}`, dir('monmap'));
  must('ceph-mon', '--mkfs', '-i', 'a', '--monmap', dir('monmap'));
  startDaemon(t, ['ceph-mon', '-f', '-i', 'a'], log, env);
  await ready('the monitor of Ceph', log, () => isUp('dump'));

  const disk = randomUUID();
  must('ceph', 'osd', 'new', disk, '0');
  must('ceph-osd', '--mkfs', '-i', '0', '--osd-uuid', disk);
  startDaemon(t, ['ceph-osd', '-f', '-i', '0'], log, env);
  await ready('the disk of Ceph', log, async () =>
    call('ceph', '--connect-timeout', '2', 'osd', 'stat').stdout.includes('1 up'),
  );

  const addUser = (name: string) => {
    const keys = { accessKeyId: name, secretAccessKey: `${name}-secret` };
    const access = [`--access-key=${keys.accessKeyId}`, `--secret-key=${keys.secretAccessKey}`];
    must('radosgw-admin', 'user', 'create', `--uid=${name}`, `--display-name=${name}`, ...access);
    return keys;
  };
  const credentials = addUser('tester');
  let running: Daemon | undefined;
  const gateway = {
    kill: async () => running?.stop(),
    start: async () => {
      running = startDaemon(t, ['radosgw', '-f', '-n', 'client.rgw'], log, env);
      await ready('the gateway of Ceph', log, () => listens(ports.gateway));
    },
  };
  await gateway.start();
  const collectGarbage = () => must('radosgw-admin', 'gc', 'process', '--include-all');
  return { endpoint: `http://127.0.0.1:${ports.gateway}`, credentials, addUser, gateway, collectGarbage };
}

function configuration(of: {
  dir: string;
  fsid: string;
  ports: { mon: number; gateway: number };
  diskBytes: number;
}): string {
  const { dir, fsid, ports, diskBytes } = of;
  const values = {
    fsid,
    mon_host: `v2:127.0.0.1:${ports.mon}`,
    public_addr: '127.0.0.1',
    cluster_addr: '127.0.0.1',
    ms_bind_msgr1: false,
    // Without cephx there are no keys, and the gateway's own default would wait for some for ever.
    auth_cluster_required: 'none',
    auth_service_required: 'none',
    auth_client_required: 'none',
    ms_mon_client_mode: 'crc',
    run_dir: dir,
    crash_dir: dir,
    admin_socket: `${dir}/$name.asok`,
    log_file: `${dir}/$name.log`,
    mon_cluster_log_file: `${dir}/cluster.log`,
    mon_data: `${dir}/mon`,
    osd_data: `${dir}/osd`,
    rgw_data: `${dir}/rgw`,
    keyring: `${dir}/keyring`,
    osd_crush_chooseleaf_type: 0,
    osd_crush_initial_weight: 1,
    osd_pool_default_size: 1,
    osd_pool_default_min_size: 1,
    osd_pool_default_pg_num: 8,
    osd_pool_default_pgp_num: 8,
    osd_pool_default_pg_autoscale_mode: 'off',
    mon_allow_pool_size_one: true,
    mon_data_avail_crit: 1, // the monitor stops on a disk that is nearly full
    paxos_propose_interval: 0.05,
    paxos_min_wait: 0.01,
    osd_objectstore: 'memstore',
    memstore_device_bytes: diskBytes,
    rgw_frontends: `beast endpoint=127.0.0.1:${ports.gateway} tcp_nodelay=1`, // else many answers take 40 ms
    rgw_thread_pool_size: 32,
    rgw_dynamic_resharding: false,
  };
  return ['[global]', ...Object.entries(values).map(([name, value]) => `${name} = ${value}`), ''].join('\n');
}
