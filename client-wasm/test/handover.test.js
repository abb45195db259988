/**
 * One device, several tabs, and a seed that says what happens when: the modules of `js/device` and all that they stand on, in fakes of
 * what a browser has (`test/device/`).
 *
 * Under control is everything outside of JavaScript's own order: when a message comes from one tab to another, and whether it does at
 * all; when a lock is granted; when a request is answered and a chunk comes; when a transaction goes on; timers, which only the test
 * moves; and in between any two of these, tabs that come, close, die, hang and go on. Not under control is the order of promises within
 * a tab: they run to their end, as they do in a browser, before anything else happens.
 *
 * `SEED=7 node --test test/handover.test.js` repeats the run of one seed, with `SEEDS=500` those of so many from there on.
 */

import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';

import { connect } from 'highwater';
import { Device, install, STREAMS } from './device/tabs.js';

const TABS_MAX = 4;
/** Without faults, everybody is told everything within so many actions. */
const ACTIONS_MAX = 5_000;

const first = Number(process.env.SEED ?? 1);
const seeds = Number(process.env.SEEDS ?? (process.env.SEED === undefined ? 150 : 1));

let uninstall;
before(async () => {
  uninstall = install();
  // What a device needs is loaded when the first client asks for it, by Node.js and in its own time.
  const device = new Device(connect, 0);
  const { world, tabs } = device;
  await device.open();
  while (world.ready('database').length === 0) {
    await world.run(tabs[0], 'load', () => {});
  }
});
after(() => uninstall());

/** One thing that is not asked for: a fault, a user, somebody else's event. Answers whether it was one. */
async function disturb(device, world) {
  const { tabs, server } = device;
  const frozen = tabs.filter(({ isFrozen }) => isFrozen);
  const awake = tabs.filter(({ isFrozen }) => !isFrozen);
  const at = world.random(1_000);
  if (at < 70) {
    server.append(world.pick(STREAMS));
  } else if (at < 80 && tabs.length > 0) {
    device.kill(world.pick(tabs));
  } else if (at < 85 && awake.length > 0) {
    await device.close(world.pick(awake));
  } else if (at < 95 && awake.length > 0) {
    world.pick(awake).isFrozen = true;
  } else if (at < 105 && frozen.length > 0) {
    world.pick(frozen).isFrozen = false;
  } else if (at < 115) {
    server.cut();
  } else if (at < 130) {
    const channels = world.ready('message');
    if (channels.length > 0) {
      world.unqueue(world.pick(channels), 0, 1);
    }
  } else if (at < 150 && tabs.length < TABS_MAX) {
    await device.open();
  } else if (at < 170) {
    await world.tick();
  } else if (at < 200 && awake.length > 0) {
    await device.dispatch(world.pick(awake));
  } else if (at < 210) {
    server.isRefusing = !server.isRefusing;
  } else {
    return false;
  }
  return true;
}

/** Does what waits to be done; where nothing does, time goes on. */
async function goOn(world) {
  const ready = world.ready();
  if (ready.length === 0) {
    return world.tick();
  }
  const key = world.pick(ready);
  await world.act(key);
  // Databases are seldom slow, and take many actions for little.
  while (key.startsWith('database') && world.length(key) > 0 && !world.once(8)) {
    await world.act(key);
  }
}

/** Goes on until each tab is live and has told everything; or until something else is so. */
async function finish(device, goOnce = goOn, isDone = () => device.isDone) {
  for (let actions = 0; !isDone(); actions += 1) {
    assert.ok(actions < ACTIONS_MAX, `after ${ACTIONS_MAX} actions ${device.left()}`);
    await goOnce(device.world);
    device.check();
  }
}

/** Does something to the device of a seed; answers what has happened. Where that fails, it says by which seed, and what was last. */
async function run(seed, work) {
  const device = new Device(connect, seed);
  const { world } = device;
  try {
    await work(device);
    return world.trace;
  } catch (thrown) {
    throw new Error(`seed ${seed}: ${thrown.message}\n${world.trace.slice(-60).join('\n')}`, { cause: thrown });
  }
}

/** Goes on where of what tabs say is lost what `isLost` says. */
async function goOnWithout(world, isLost) {
  world
    .ready('message')
    .filter((key) => isLost(world.next(key)))
    .forEach((key) => world.unqueue(key, 0, 1));
  await goOn(world);
}

/** Two tabs that come at once. Answers the one that leads, and the other. */
async function open(device, goOnce = goOn) {
  device.server.isFaulty = false;
  await device.open(['test:a'], 'latest');
  await device.open(['test:a'], 'latest');
  await finish(device, goOnce);
  return [...device.tabs].sort((tab) => (tab.client.role === 'leader' ? -1 : 1));
}

/** Two tabs of which one leads. `isLost` says which of its words are. */
async function twoTabs(device, isLost) {
  const { server, world } = device;
  const goOnce = () => goOnWithout(world, isLost);
  await open(device, goOnce);
  server.append('test:a');
  await finish(device, goOnce);
}

/** Anything may happen; then nothing more does, and all that was meant is recorded, in order, or was refused. */
async function anything(device) {
  const { world, server } = device;
  await device.open();
  for (let actions = 200 + world.random(400); actions > 0; actions -= 1) {
    if (!(await disturb(device, world))) {
      await goOn(world);
    }
    device.check();
  }
  Object.assign(server, { isFaulty: false, isRefusing: false });
  device.tabs.forEach((tab) => {
    tab.isFrozen = false;
  });
  if (device.tabs.length === 0) {
    await device.open();
  }
  STREAMS.forEach((stream) => server.append(stream));
  await finish(device, goOn, () => device.isDone && device.isSettled);
  if (device.databases.gaveUp.size === 0) {
    device.tabs.forEach((tab) => wasHeld(device, tab));
  }
}

/** A tab's intents are recorded in the order in which they were meant, or were refused: if the tabs' database was there for all of them. */
function wasHeld({ server }, { meant }) {
  const recorded = (ids) => server.log.map(({ id }) => id).filter((id) => ids.includes(id));
  for (const stream of STREAMS) {
    const confirmed = meant.filter((intent) => intent.stream === stream && intent.became === 'confirmed').map(({ id }) => id);
    assert.deepEqual(recorded(confirmed), confirmed, `what was meant for ${stream}`);
  }
  const refused = meant.filter(({ became }) => became === 'refused').map(({ id }) => id);
  assert.deepEqual(recorded(refused), [], 'what was refused');
}

test('whichever tab dies and whoever leads when, each tells every event once, in order, and is fed by one connection at a time', async () => {
  for (let seed = first; seed < first + seeds; seed += 1) {
    await run(seed, anything);
  }
});

test('a seed is one run', async () => {
  assert.deepEqual(await run(first, anything), await run(first, anything));
});

test('how the connection stands is known also where the word of it is lost', async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    await run(seed, (device) => twoTabs(device, (what) => what === 'status'));
  }
});

test('where what tells a tab its beginning is lost, it asks, and is not live before', async () => {
  for (let seed = 0; seed < 20; seed += 1) {
    let frames = 0;
    const isFirst = (what) => {
      frames += what === 'frames' ? 1 : 0;
      return what === 'frames' && frames === 1;
    };
    await run(seed, (device) => twoTabs(device, isFirst));
  }
});

test('a leader that hung is told what became of what it meant, also where it hears of that before it knows that it leads no more', async () => {
  for (let seed = 0; seed < 5; seed += 1) {
    await run(seed, async (device) => {
      const { server, world } = device;
      const [hung, next] = await open(device);
      server.isRefusing = true;
      let refusals = 0;
      next.client.on('refused', () => (refusals += 1));
      const meant = await device.dispatch(hung, 'test:a');
      const words = `message ${hung.number} ${next.number}`;
      await finish(device, goOn, () => world.ready(words).length > 0 && world.next(words) === 'intents');
      hung.isFrozen = true;
      await finish(device, goOn, () => refusals === 1);
      hung.isFrozen = false;
      for (const key of [`message ${next.number} ${hung.number}`, `lock ${hung.number}`]) {
        while (world.length(key) > 0) {
          await world.act(key);
        }
      }
      await finish(device, goOn, () => device.isDone && meant.became !== undefined);
      assert.equal(meant.became, 'refused');
    });
  }
});

test('what a leader that hung is refused last of all, the next one has had recorded: it is not rolled back', async () => {
  for (let seed = 0; seed < 5; seed += 1) {
    await run(seed, async (device) => {
      const { server, world } = device;
      const [hung, next] = await open(device);
      server.isRefusing = true;
      const meant = await device.dispatch(hung, 'test:a');
      const words = `message ${hung.number} ${next.number}`;
      await finish(device, goOn, () => world.ready(words).length > 0 && world.next(words) === 'intents');
      hung.isFrozen = true;
      server.isRefusing = false;
      await finish(device, goOn, () => server.log.length === 1 && next.client.role === 'leader' && device.owed(next).length === 0);
      // It was refused before the next one came, and hears that first.
      hung.isFrozen = false;
      for (const kind of ['fetch', 'database']) {
        for (const key of world.ready(`${kind} ${hung.number}`)) {
          while (world.length(key) > 0) {
            await world.act(key);
          }
        }
      }
      await finish(device, goOn, () => device.isDone && meant.became !== undefined);
      assert.deepEqual([meant.became, server.log.length], ['confirmed', 1]);
    });
  }
});

/** A tab means something, and is told that it is recorded before it is told where it is itself. */
async function answeredEarly(device, isReplaced) {
  const { server, world } = device;
  server.isFaulty = false;
  await device.open(['test:a'], 'latest');
  await finish(device);
  await device.open(['test:a'], 'latest');
  const [leader, other] = device.tabs;
  const meant = await device.dispatch(other, 'test:a');
  const withoutTells = () => goOnWithout(world, (what) => ['began', 'welcome', 'frames'].includes(what));
  const isTold = () => device.owed(leader).length === 0 && world.ready('message').length === 0;
  await finish(device, withoutTells, () => meant.isAcknowledged && isTold());
  if (isReplaced) {
    server.replace('n3w10g00');
    await finish(device, withoutTells, () => leader.epoch === server.epoch && isTold());
  }
  assert.deepEqual([other.client.cursor, meant.became], ['latest', undefined]);
  await finish(device, goOn, () => device.isDone && meant.became !== undefined);
  assert.deepEqual([meant.became, server.log.length], ['confirmed', 1]);
}

test('what was recorded before a tab knew of which log positions are is confirmed once it does', async () => {
  for (let seed = 0; seed < 5; seed += 1) {
    await run(seed, (device) => answeredEarly(device, false));
  }
});

test('what was recorded before a tab knew of which log positions are is sent to the log that has replaced that', async () => {
  for (let seed = 0; seed < 5; seed += 1) {
    await run(seed, (device) => answeredEarly(device, true));
  }
});

test('what the leader had settled in a log that was replaced, and another tab had not, is sent to the new one', async () => {
  for (let seed = 0; seed < 5; seed += 1) {
    await run(seed, async (device) => {
      const { server, world } = device;
      const [leader, other] = await open(device);
      const meant = await device.dispatch(other, 'test:a');
      const withoutFrames = () => goOnWithout(world, (what) => what === 'frames');
      await finish(device, withoutFrames, () => meant.isAcknowledged && device.owed(leader).length === 0 && world.ready('message').length === 0);
      assert.equal(meant.became, undefined);
      server.replace('n3w10g00');
      await finish(device, goOn, () => device.isDone && meant.became !== undefined);
      assert.deepEqual([meant.became, server.log.length], ['confirmed', 1]);
    });
  }
});
