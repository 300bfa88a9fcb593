'use strict';
// npm's ali-ons against any home: client.js NAMESRV ROW..., with INTEROP_TOPIC naming a topic that exists (this client
// makes none) and NODE_PATH its modules. One JSON object a line as rows end, {"row", "ok", "detail"}; exit status 0 when
// every row is ok.
const { Consumer, Message, Producer } = require('ali-ons');

const kArriveMs = 60000;
const kMessages = 60;
const [ nameSrv, ...wanted ] = process.argv.slice(2);
const topic = process.env.INTEROP_TOPIC;
const run = Date.now().toString(36);
const sentence = 'grüß Gott, 你好 = a;b';
const silent = { info() {}, warn() {}, error() {}, debug() {} };
const httpclient = { request() { throw new Error('the name server is given, nobody is asked for it'); } };
const pause = ms => new Promise(done => setTimeout(done, ms));
const ends = [];

function expect(holds, otherwise) {
  if (!holds) throw new Error(otherwise);
}

let theProducer;
async function producer() {                               // one: a second one of this process would share its client id
  if (theProducer) return theProducer;
  const made = new Producer({ nameSrv, logger: silent, httpclient, producerGroup: `${topic}-${run}-p` });
  made.on('error', () => {});
  await made.ready();
  ends.push(made);
  theProducer = made;
  return made;
}

async function consumer(listener) {
  const made = new Consumer({ nameSrv, logger: silent, httpclient, consumerGroup: `${topic}-${run}-g` });
  made.on('error', () => {});
  made.subscribe(topic, '*', listener);
  await made.ready();
  ends.push(made);
}

function message(number) {
  const made = new Message(topic, `tag-${number % 3}`, `${number} `.padEnd(1 + number * 97, 'x'));
  made.keys = [ `key-${run}-${number}` ];
  Object.assign(made.properties, { run, number: String(number), sentence });
  return made;
}

async function sendAll() {
  const by = await producer();
  const results = [];
  for (let number = 0; number < kMessages; number++) {
    const sent = await by.send(message(number));
    expect(sent.sendStatus === 'SEND_OK', `status ${sent.sendStatus}`);
    results.push(sent);
  }
  return results;
}

const rows = {
  async sync() {
    const next = new Map();
    const ids = new Set();
    for (const sent of await sendAll()) {
      const { queueId } = sent.messageQueue;
      const offset = Number(sent.queueOffset);
      expect(!next.has(queueId) || next.get(queueId) === offset, `a gap before ${offset}`);
      next.set(queueId, offset + 1);
      ids.add(sent.msgId);
    }
    expect(ids.size === kMessages, `${ids.size} different ids`);
    return `${kMessages} answered over ${next.size} queues, offsets without gaps`;
  },

  async consume() {
    const sent = await sendAll();
    const got = new Map();
    let more = 0;
    await consumer(async m => {
      if (m.properties.run !== run || !m.keys.startsWith(`key-${run}-`)) return;
      if (!sent.some(s => s.msgId === m.msgId)) return;   // of the row before
      if (got.has(m.msgId)) more++;
      got.set(m.msgId, m);
    });
    for (const until = Date.now() + kArriveMs; got.size < kMessages; await pause(5)) {
      expect(Date.now() < until, `${got.size} of ${kMessages} messages arrived`);
    }
    await pause(250);
    expect(more === 0, `${more} messages came twice`);
    sent.forEach((result, number) => {
      const m = got.get(result.msgId);
      const wanted = message(number);
      expect(m.body.toString() === wanted.body.toString(), `the body of ${number} differs`);
      expect(m.tags === wanted.tags && m.keys.trim() === `key-${run}-${number}`, `tags or keys of ${number} differ`);
      expect(m.properties.sentence === sentence, `a property of ${number} differs: ${m.properties.sentence}`);
      expect(Number(m.queueId) === Number(result.messageQueue.queueId) && Number(m.queueOffset) === Number(result.queueOffset),
        `${number} lies at ${m.queueId} ${m.queueOffset}, the answer said ${result.messageQueue.queueId} ${result.queueOffset}`);
    });
    return `${kMessages} arrived with every field as sent`;
  },
};

const kExchanged = 40;

function bodyOf(number) {
  const body = Buffer.alloc(number * 997 + 1);
  for (let k = 0; k < body.length; k++) body[k] = k * 31 + number;
  return body;
}

/** What clients write for each other; INTEROP_WRITERS names them. Not part of "all". */
const exchange = {
  async write() {
    const by = await producer();
    for (let number = 0; number < kExchanged; number++) {
      const made = new Message(topic, `tag-${number % 3}`, bodyOf(number));
      made.keys = [ `key-${number}` ];
      Object.assign(made.properties, { writer: 'node', number: String(number), sentence });
      const sent = await by.send(made);
      expect(sent.sendStatus === 'SEND_OK', `status ${sent.sendStatus}`);
    }
    return `${kExchanged} written`;
  },

  async read() {
    const writers = process.env.INTEROP_WRITERS.split(' ');
    const got = [];
    await consumer(async m => { if (m.tags !== 'opener') got.push(m); });
    for (const until = Date.now() + kArriveMs; got.length < kExchanged * writers.length; await pause(5)) {
      expect(Date.now() < until, `${got.length} of ${kExchanged * writers.length} messages arrived`);
    }
    await pause(250);
    const seen = new Set();
    for (const m of got) {
      const number = Number(m.properties.number);
      const name = `${m.properties.writer} ${number}`;
      expect(writers.includes(m.properties.writer) && number < kExchanged && !seen.has(name), `${name} is unknown, or came twice`);
      seen.add(name);
      expect(m.body.equals(bodyOf(number)), `${name}: another body, of ${m.body.length} bytes`);
      expect(m.tags === `tag-${number % 3}` && m.keys.trim() === `key-${number}`, `${name}: tags or keys differ`);
      expect(m.properties.sentence === sentence, `${name}: another sentence`);
    }
    return `${kExchanged} of each of ${writers.length} writers, as they wrote them`;
  },
};

async function main() {
  const names = wanted.includes('all') ? Object.keys(rows) : wanted;
  const known = { ...rows, ...exchange };
  if (!topic || names.length === 0 || names.some(name => !known[name])) {
    console.error(`usage: INTEROP_TOPIC=... client.js NAMESRV ROW...   rows: all ${Object.keys(rows).join(' ')}`);
    process.exit(2);
  }
  let good = true;
  for (const row of names) {
    let ok = false;
    let detail;
    try {
      detail = await known[row]();
      ok = true;
    } catch (error) {
      detail = error.message;
    }
    good = good && ok;
    console.log(JSON.stringify({ row, ok, detail }));
  }
  for (const one of ends) await Promise.race([ one.close(), pause(2000) ]).catch(() => {});
  process.exit(good ? 0 : 1);
}

process.on('unhandledRejection', () => {});               // it reports some failures twice, the second time to nobody
main();
