import { unreachable } from '../../../../src/base/assert.js';
import { show } from '../../../../src/base/errors.js';
import { quietGrpc } from '../../../../src/rpc/server.js';
import type { Target } from '../system.js';
import { drawerOf } from '../uids.js';
import { closedLoop } from './closed-loop.js';
import type { Driver } from './driver.js';
import { openEtcd } from './etcd-driver.js';
import type { Answer, Order } from './messages.js';
import { openLoop } from './open-loop.js';
import { openNobody } from './nobody-driver.js';
import { openPostgres } from './postgres-driver.js';
import { openRedis } from './redis-driver.js';
import { openSeqsvr } from './seqsvr-driver.js';
import { touch } from './touch.js';
import { openUnary } from './unary-driver.js';

/** The client machine: one process that drives every system in its turn. Its ways to them stay open between. */
const drivers = new Map<string, Driver>();

async function carryOut(order: Order): Promise<Answer> {
  switch (order.type) {
    case 'closed': {
      const { target, uids, load } = order;
      const draw = drawerOf(uids);
      return { type: 'measured', figures: await closedLoop(await driverTo(target, draw), draw, load) };
    }
    case 'open': {
      const { target, uids, load } = order;
      const draw = drawerOf(uids);
      return { type: 'offered', figures: await openLoop(await driverTo(target, draw), draw, load) };
    }
    case 'touch':
      await touch(order);
      return { type: 'touched' };
    default:
      return unreachable(order);
  }
}

async function driverTo(target: Target, draw: () => number): Promise<Driver> {
  const key = JSON.stringify(target);
  const driver = drivers.get(key) ?? (await open(target, draw));
  drivers.set(key, driver);
  return driver;
}

function open(target: Target, draw: () => number): Driver | Promise<Driver> {
  switch (target.type) {
    case 'nobody':
      return openNobody();
    case 'seqsvr':
      return openSeqsvr(target);
    case 'unary':
      return openUnary({ ...target, draw });
    case 'redis':
      return openRedis(target);
    case 'etcd':
      return openEtcd(target);
    case 'postgres':
      return openPostgres(target);
    default:
      return unreachable(target);
  }
}

function tell(answer: Answer): void {
  process.send?.(answer);
}

quietGrpc();
process.on('message', (order: Order) => {
  carryOut(order).then(tell, (error: unknown) =>
    tell({ type: 'failed', message: error instanceof Error ? (error.stack ?? error.message) : show(error) }),
  );
});
// It ends with whoever started it.
process.on('disconnect', () => process.exit(0));
tell({ type: 'ready' });
