package interop;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.sysflag.MessageSysFlag;

/**
 * Apache's Java client against any home: Main NAMESRV ROW..., or "all". One JSON object a line as rows end, {"row", "ok",
 * "detail"}; exit status 0 when every row is ok. The rows are those of interop/cpp, asked for in this client's words.
 */
public final class Main {
    static final Duration ARRIVE = Duration.ofSeconds(60);  // its first pull may wait for the next round of heartbeats
    static final Duration STRAY = Duration.ofMillis(250);
    static final Duration IDLE = Duration.ofSeconds(3);
    static final Duration AT_ONCE = Duration.ofMillis(500);
    static final int QUEUES_OF_NEW = 4;
    static final int BODY_MAX = 4 << 20;
    static final int MESSAGE_ILLEGAL = 13;

    static final int EXCHANGED = 40;
    static final int[] NUMBERS_OF_CODECS = {4, 5, 40, 500};  // of bodyOf: below the threshold of 4,096 bytes, and above
    static final String SENTENCE = "gr\u00fc\u00df Gott, \u4f60\u597d = a;b";

    interface RowCode { String run(Row row) throws Exception; }

    static final Map<String, RowCode> ROWS = new LinkedHashMap<>();
    /** What clients write for each other, or under faults: INTEROP_TOPIC is where, INTEROP_WRITERS who, INTEROP_SENDS how often. */
    static final Map<String, RowCode> EXCHANGE = new HashMap<>();

    static {
        ROWS.put("sync", Main::sync);
        ROWS.put("async", Main::async);
        ROWS.put("oneway", Main::oneway);
        ROWS.put("batch", Main::batch);
        ROWS.put("consume", Main::consume);
        ROWS.put("tags", Main::tags);
        ROWS.put("share", Main::share);
        ROWS.put("resume", Main::resume);
        ROWS.put("long-poll", Main::longPoll);
        ROWS.put("new-topic", Main::newTopic);
        ROWS.put("refused", Main::refused);
        EXCHANGE.put("write", Main::write);
        EXCHANGE.put("read", Main::read);
        EXCHANGE.put("write-codecs", Main::writeCodecs);
        EXCHANGE.put("read-codecs", Main::readCodecs);
        EXCHANGE.put("send", Main::send);
    }

    private Main() { }

    public static void main(String[] args) {
        List<String> wanted = new ArrayList<>(Arrays.asList(args).subList(Math.min(1, args.length), args.length));
        if (wanted.equals(List.of("all"))) wanted = new ArrayList<>(ROWS.keySet());
        Map<String, RowCode> known = new HashMap<>(ROWS);
        known.putAll(EXCHANGE);
        if (wanted.isEmpty() || !known.keySet().containsAll(wanted)) {
            System.err.println("usage: Main NAMESRV ROW...   rows: all " + String.join(" ", ROWS.keySet()));
            System.exit(2);
        }
        boolean all = true;
        for (String name : wanted) {
            boolean ok = false;
            String detail;
            Row row = new Row(args[0], name);
            try {
                detail = known.get(name).run(row);
                ok = true;
            } catch (Exception | AssertionError e) {
                detail = e instanceof AssertionError ? e.getMessage() : e.toString();
            } finally {
                row.close();
            }
            all &= ok;
            System.out.println("{\"row\": \"" + name + "\", \"ok\": " + ok + ", \"detail\": " + quoted(detail) + "}");
        }
        System.exit(all ? 0 : 1);  // the client leaves threads behind
    }

    static String quoted(String plain) {
        String text = String.valueOf(plain).replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}+", " ");
        return '"' + text.substring(0, Math.min(400, text.length())) + '"';
    }

    static void expect(boolean holds, String otherwise) {
        if (!holds) throw new AssertionError(otherwise);
    }

    static byte[] bytes(String text) { return text.getBytes(StandardCharsets.UTF_8); }

    static String text(byte[] bytes) { return new String(bytes, StandardCharsets.UTF_8); }

    static boolean await(Duration wait, BooleanSupplier done) throws InterruptedException {
        long until = System.nanoTime() + wait.toNanos();
        while (!done.getAsBoolean()) {
            if (System.nanoTime() > until) return false;
            Thread.sleep(2);
        }
        return true;
    }

    record Letter(MessageExt message, String member, long nanos) { }

    /** What listeners saw, the message that makes the topic aside. */
    static final class Inbox {
        final Deque<Letter> letters = new ConcurrentLinkedDeque<>();

        void put(String member, MessageExt message) {
            if (!"opener".equals(message.getTags())) letters.add(new Letter(message, member, System.nanoTime()));
        }

        long of(String member) { return letters.stream().filter(l -> l.member.equals(member)).count(); }

        void expectExactly(int count) throws InterruptedException {
            boolean all = await(ARRIVE, () -> letters.size() >= count);
            expect(all, letters.size() + " of " + count + " messages arrived in " + ARRIVE.toSeconds() + " s");
            Thread.sleep(STRAY.toMillis());
            expect(letters.size() == count, letters.size() - count + " messages more than the " + count + " sent");
        }
    }

    /** One row's names and clients. */
    static final class Row {
        final String namesrv, group;
        String topic;
        final List<DefaultMQProducer> producers = new ArrayList<>();
        final List<DefaultMQPushConsumer> consumers = new ArrayList<>();

        Row(String namesrv, String name) {
            this.namesrv = namesrv;
            topic = "interop-java-" + name + '-' + System.currentTimeMillis();
            group = topic + "-g";
        }

        DefaultMQProducer producer() throws MQClientException { return producer("p"); }

        DefaultMQProducer producer(String name) throws MQClientException { return producer(name, CompressionType.ZLIB); }

        DefaultMQProducer producer(String name, CompressionType codec) throws MQClientException {
            DefaultMQProducer made = new DefaultMQProducer(topic + "-" + name);
            made.setNamesrvAddr(namesrv);
            made.setInstanceName(topic + "-" + name);
            made.setCompressType(codec);
            made.start();
            producers.add(made);
            return made;
        }

        DefaultMQProducer openTopic() throws Exception {
            DefaultMQProducer made = producer();
            made.send(new Message(topic, "opener", bytes("opener")));
            queues(made);
            return made;
        }

        /** How many queues the topic has. 4.9 tells its name server of a new one after it has answered the send. */
        int queues(DefaultMQProducer by) throws Exception {
            AtomicInteger found = new AtomicInteger();
            await(Duration.ofSeconds(5), () -> {
                try {
                    found.set(by.fetchPublishMessageQueues(topic).size());
                } catch (MQClientException notYet) {
                    found.set(0);
                }
                return found.get() > 0;
            });
            return found.get();
        }

        DefaultMQPushConsumer consumer(Inbox inbox, String member, String tags) throws MQClientException {
            DefaultMQPushConsumer made = new DefaultMQPushConsumer(group);
            made.setNamesrvAddr(namesrv);
            made.setInstanceName(topic + "-" + member);
            made.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            made.setPollNameServerInterval(1000);
            made.setAwaitTerminationMillisWhenShutdown(5000);  // else offsets of what runs are not stored
            made.subscribe(topic, tags);
            made.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(m -> inbox.put(member, m));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            made.start();
            consumers.add(made);
            return made;
        }

        @SuppressWarnings("deprecation")  // nothing else tells whose a queue is
        int owned(DefaultMQPushConsumer of) {
            return (int) of.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
                .filter(q -> q.getTopic().equals(topic)).count();
        }

        SendResult send(DefaultMQProducer by, Message message) throws Exception {
            SendResult sent = by.send(message);
            expect(sent.getSendStatus() == SendStatus.SEND_OK, "status " + sent.getSendStatus());
            return sent;
        }

        void send(DefaultMQProducer by, String prefix, int count) throws Exception {
            for (int i = 0; i < count; i++) send(by, new Message(topic, bytes(prefix + i)));
        }

        void close() {
            consumers.forEach(DefaultMQPushConsumer::shutdown);
            producers.forEach(DefaultMQProducer::shutdown);
        }
    }

    static String sync(Row row) throws Exception {
        int count = 80;
        DefaultMQProducer producer = row.openTopic();
        Map<MessageQueue, List<Long>> offsets = new HashMap<>();
        Set<String> ids = new HashSet<>();
        for (int i = 0; i < count; i++) {
            SendResult sent = row.send(producer, new Message(row.topic, "", "k" + i, bytes("" + i)));
            offsets.computeIfAbsent(sent.getMessageQueue(), q -> new ArrayList<>()).add(sent.getQueueOffset());
            ids.add(sent.getMsgId());
            ids.add(sent.getOffsetMsgId());
        }
        expect(ids.size() == 2 * count, ids.size() + " different ids of " + 2 * count);
        expect(offsets.size() == QUEUES_OF_NEW, offsets.size() + " queues took part");
        for (List<Long> of : offsets.values()) {
            for (int i = 1; i < of.size(); i++) expect(of.get(i) == of.get(i - 1) + 1, "a gap before " + of.get(i));
        }
        return count + " answered, offsets without gaps";
    }

    static String async(Row row) throws Exception {
        int count = 1000;
        DefaultMQProducer producer = row.openTopic();
        AtomicInteger ok = new AtomicInteger();
        AtomicInteger called = new AtomicInteger();
        AtomicReference<Throwable> first = new AtomicReference<>();
        for (int i = 0; i < count; i++) {
            producer.send(new Message(row.topic, bytes("" + i)), new SendCallback() {
                @Override public void onSuccess(SendResult sent) {
                    if (sent.getSendStatus() == SendStatus.SEND_OK) ok.incrementAndGet();
                    called.incrementAndGet();
                }

                @Override public void onException(Throwable e) {
                    first.compareAndSet(null, e);
                    called.incrementAndGet();
                }
            });
        }
        expect(await(ARRIVE, () -> called.get() >= count), called + " callbacks for " + count + " sends");
        Thread.sleep(STRAY.toMillis());
        expect(called.get() == count && ok.get() == count, ok + " ok, " + called + " callbacks, first failure " + first);
        return count + " called back once each";
    }

    static String oneway(Row row) throws Exception {
        int count = 100;
        DefaultMQProducer producer = row.openTopic();
        for (int i = 0; i < count; i++) producer.sendOneway(new Message(row.topic, bytes("" + i)));
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");
        inbox.expectExactly(count);
        return count + " arrived";
    }

    static String batch(Row row) throws Exception {
        int batches = 5, size = 32;
        DefaultMQProducer producer = row.openTopic();
        Map<String, String> where = new HashMap<>();
        for (int b = 0; b < batches; b++) {
            Collection<Message> messages = new ArrayList<>();
            for (int i = 0; i < size; i++) messages.add(new Message(row.topic, "t" + b, "k" + b + "-" + i, bytes(b + "/" + i)));
            SendResult sent = producer.send(messages);
            int ids = sent.getMsgId().split(",").length;
            int offsetIds = sent.getOffsetMsgId().split(",").length;
            expect(ids == size && offsetIds == size, ids + " and " + offsetIds + " ids for a batch of " + size);
            for (int i = 0; i < size; i++) {
                where.put(b + "/" + i, sent.getMessageQueue().getQueueId() + " " + (sent.getQueueOffset() + i));
            }
        }
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");
        inbox.expectExactly(batches * size);
        for (Letter l : inbox.letters) {
            String at = l.message.getQueueId() + " " + l.message.getQueueOffset();
            String body = text(l.message.getBody());
            expect(at.equals(where.get(body)), body + " lies at " + at + ", the answer said " + where.get(body));
        }
        return batches + " batches of " + size + " arrived where the answers said";
    }

    static String consume(Row row) throws Exception {
        int count = 120;
        DefaultMQProducer producer = row.openTopic();
        Map<String, Message> messages = new HashMap<>();
        Map<String, SendResult> results = new HashMap<>();
        for (int i = 0; i < count; i++) {
            byte[] body = bodyOf(i);  // up to 116 KiB; this client compresses those above 4 KiB
            Message message = new Message(row.topic, "tag-" + i % 3, "key-" + i + " other", body);
            message.putUserProperty("number", "" + i);
            message.putUserProperty("sentence", SENTENCE);
            results.put("" + i, row.send(producer, message));
            messages.put("" + i, new Message(row.topic, "tag-" + i % 3, "key-" + i + " other", body));
        }
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");
        inbox.expectExactly(count);
        for (Letter l : inbox.letters) {
            MessageExt got = l.message;
            String number = got.getUserProperty("number");
            Message sent = messages.get(number);
            SendResult result = results.get(number);
            expect(sent != null, "an unknown number: " + number);
            expect(Arrays.equals(got.getBody(), sent.getBody()), "the body of " + number + " differs");
            same("topic", got.getTopic(), row.topic);
            same("keys", got.getKeys(), sent.getKeys());
            same("tags", got.getTags(), sent.getTags());
            same("sentence", got.getUserProperty("sentence"), SENTENCE);
            same("msgId", got.getMsgId(), result.getMsgId());
            same("queue", got.getQueueId(), result.getMessageQueue().getQueueId());
            same("offset", got.getQueueOffset(), result.getQueueOffset());
            same("reconsumeTimes", got.getReconsumeTimes(), 0);
            long age = got.getStoreTimestamp() - got.getBornTimestamp();
            expect(age > -1000 && age < 10_000, "stored " + age + " ms after it was born");
        }
        return count + " arrived with every field as sent";
    }

    static byte[] bodyOf(int number) {
        byte[] body = new byte[number * 997 + 1];
        for (int k = 0; k < body.length; k++) body[k] = (byte) (k * 31 + number);
        return body;
    }

    static void same(String what, Object got, Object sent) {
        expect(Objects.equals(got, sent), what + ": got '" + got + "', sent '" + sent + "'");
    }

    static String tags(Row row) throws Exception {
        int count = 90;
        String[] all = {"A", "B", "C"};
        DefaultMQProducer producer = row.openTopic();
        for (int i = 0; i < count; i++) row.send(producer, new Message(row.topic, all[i % 3], bytes("" + i)));
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "A || C");
        for (int i = 0; i < count; i++) row.send(producer, new Message(row.topic, all[i % 3], bytes("late" + i)));
        inbox.expectExactly(2 * count / 3 * 2);
        for (Letter l : inbox.letters) expect(!"B".equals(l.message.getTags()), "a message with tag B came");
        return 2 * count / 3 * 2 + " of " + 2 * count + " arrived, none of the third tag";
    }

    static String share(Row row) throws Exception {
        int count = 100;
        DefaultMQProducer producer = row.openTopic();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer first = row.consumer(inbox, "first", "*");
        expect(await(ARRIVE, () -> row.owned(first) == QUEUES_OF_NEW), "alone, the first owns " + row.owned(first));
        long came = System.nanoTime();
        DefaultMQPushConsumer second = row.consumer(inbox, "second", "*");
        expect(await(ARRIVE, () -> row.owned(first) == QUEUES_OF_NEW / 2 && row.owned(second) == QUEUES_OF_NEW / 2),
            "the members own " + row.owned(first) + " and " + row.owned(second) + " queues");
        long shared = System.nanoTime();
        row.send(producer, "both", count);
        inbox.expectExactly(count);
        expect(inbox.of("first") == count / 2 && inbox.of("second") == count / 2,
            "the members got " + inbox.of("first") + " and " + inbox.of("second"));
        long left = System.nanoTime();
        second.shutdown();
        expect(await(ARRIVE, () -> row.owned(first) == QUEUES_OF_NEW), "the one that stays owns " + row.owned(first));
        long taken = System.nanoTime();
        row.send(producer, "one", count);
        inbox.expectExactly(2 * count);
        expect(inbox.of("second") == count / 2, "the one that left got messages");
        return String.format("shared after %d ms, taken over after %d ms, nothing lost or twice",
            (shared - came) / 1_000_000, (taken - left) / 1_000_000);
    }

    static String resume(Row row) throws Exception {
        int count = 100;
        DefaultMQProducer producer = row.openTopic();
        row.send(producer, "before", count);
        Inbox before = new Inbox();
        DefaultMQPushConsumer first = row.consumer(before, "first", "*");
        before.expectExactly(count);
        first.shutdown();
        row.send(producer, "meanwhile", count / 2);
        Inbox after = new Inbox();
        row.consumer(after, "again", "*");
        after.expectExactly(count / 2);
        for (Letter l : after.letters) {
            expect(text(l.message.getBody()).startsWith("meanwhile"), text(l.message.getBody()) + " came again");
        }
        return "the second life got the " + count / 2 + " messages of the time between, and no other";
    }

    static String longPoll(Row row) throws Exception {
        int count = 6;
        DefaultMQProducer producer = row.openTopic();
        Inbox inbox = new Inbox();
        DefaultMQPushConsumer consumer = row.consumer(inbox, "only", "*");
        expect(await(ARRIVE, () -> row.owned(consumer) == QUEUES_OF_NEW), "it owns no queues");
        long longest = 0;
        for (int i = 0; i < count; i++) {
            Thread.sleep(i == 0 ? IDLE.toMillis() : 1000);
            long at = System.nanoTime();
            row.send(producer, new Message(row.topic, bytes("" + i)));
            int wanted = i + 1;
            expect(await(ARRIVE, () -> inbox.letters.size() == wanted), "no arrival");
            if (i > 0) longest = Math.max(longest, inbox.letters.getLast().nanos - at);  // the first warms this JVM up
        }
        expect(longest <= AT_ONCE.toNanos(), "the longest wait was " + longest / 1_000_000 + " ms");
        return "longest way of " + (count - 1) + " to an idle consumer: " + longest / 1_000_000 + " ms";
    }

    static String newTopic(Row row) throws Exception {
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");  // before there is such a topic
        DefaultMQProducer producer = row.producer();
        row.send(producer, new Message(row.topic, bytes("first")));
        int queues = row.queues(producer);
        expect(queues == QUEUES_OF_NEW, "the new topic has " + queues + " queues");
        inbox.expectExactly(1);
        return "made by the first send with " + queues + " queues; a consumer that was there before got it";
    }

    interface Attempt { Object run() throws Exception; }

    /** The code of the refusal; `code` 0: any. */
    static String refusal(String what, int code, Attempt attempt) throws Exception {
        Object taken;
        int got;
        try {
            taken = attempt.run();
            throw new AssertionError(what + " was taken: " + taken);
        } catch (MQBrokerException e) {
            got = e.getResponseCode();
        } catch (MQClientException e) {
            got = e.getResponseCode();
        }
        expect(code == 0 || got == code, what + " was refused with " + got);
        return what + " " + got;
    }

    static String refused(Row row) throws Exception {
        DefaultMQProducer producer = row.openTopic();
        DefaultMQProducer patient = row.producer("big");
        patient.setMaxMessageSize(4 * BODY_MAX);
        patient.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        byte[] big = new byte[BODY_MAX + 1];
        new Random(1).nextBytes(big);
        List<String> said = new ArrayList<>();
        said.add(refusal("oversize-here", MESSAGE_ILLEGAL, () -> producer.send(new Message(row.topic, big))));
        said.add(refusal("oversize-there", MESSAGE_ILLEGAL, () -> patient.send(new Message(row.topic, big))));
        said.add(refusal("empty", MESSAGE_ILLEGAL, () -> producer.send(new Message(row.topic, new byte[0]))));
        said.add(refusal("name", 0, () -> producer.send(new Message("not a topic!", bytes("x")))));
        said.add(refusal("long-name", 0, () -> producer.send(new Message("n".repeat(128), bytes("x")))));
        said.add(refusal("system-topic", 0, () -> producer.send(new Message("SCHEDULE_TOPIC_XXXX", bytes("x")))));
        said.add(refusal("properties", MESSAGE_ILLEGAL, () -> {
            Message message = new Message(row.topic, bytes("x"));
            message.putUserProperty("p", "p".repeat(40_000));
            return producer.send(message);
        }));
        said.add(refusal("group", 0, () -> {
            new DefaultMQProducer("not a group!").start();
            return "a started producer";
        }));
        row.send(producer, new Message(row.topic, bytes("after")));
        row.send(patient, new Message(row.topic, Arrays.copyOf(big, BODY_MAX - 65536)));
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");
        inbox.expectExactly(2);
        return String.join(", ", said);
    }

    static String write(Row row) throws Exception {
        row.topic = Objects.requireNonNull(System.getenv("INTEROP_TOPIC"));
        DefaultMQProducer producer = row.producer();
        for (int i = 0; i < EXCHANGED; i++) {
            Message message = new Message(row.topic, "tag-" + i % 3, "key-" + i, bodyOf(i));
            message.putUserProperty("writer", "java");
            message.putUserProperty("number", "" + i);
            message.putUserProperty("sentence", SENTENCE);
            row.send(producer, message);
        }
        return EXCHANGED + " written";
    }

    /** Waiting sends, as a user writes them; what goes wrong on the way is the client's to mend. */
    static String send(Row row) throws Exception {
        row.topic = Objects.requireNonNull(System.getenv("INTEROP_TOPIC"));
        int sends = Integer.parseInt(System.getenv("INTEROP_SENDS"));
        DefaultMQProducer producer = row.producer();
        Map<String, Integer> stored = new HashMap<>();
        for (int i = 0; i < sends; i++) {
            SendResult sent = producer.send(new Message(row.topic, "tag", "key-" + i, bodyOf(i)));
            expect(sent.getSendStatus() == SendStatus.SEND_OK, "send " + i + ": " + sent.getSendStatus());
            stored.merge(sent.getMessageQueue().getBrokerName(), 1, Integer::sum);
        }
        return stored.toString();
    }

    static String read(Row row) throws Exception {
        row.topic = Objects.requireNonNull(System.getenv("INTEROP_TOPIC"));
        Set<String> missing = new HashSet<>();
        String[] writers = System.getenv("INTEROP_WRITERS").split(" ");
        for (String writer : writers) {
            for (int i = 0; i < EXCHANGED; i++) missing.add(writer + " " + i);
        }
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");
        inbox.expectExactly(missing.size());
        for (Letter l : inbox.letters) {
            String number = l.message.getUserProperty("number");
            String name = l.message.getUserProperty("writer") + " " + number;
            expect(missing.remove(name), name + " is unknown, or came twice");
            int i = Integer.parseInt(number);
            expect(Arrays.equals(l.message.getBody(), bodyOf(i)), name + ": another body, of " + l.message.getBody().length);
            same(name + " tags", l.message.getTags(), "tag-" + i % 3);
            same(name + " keys", l.message.getKeys().trim(), "key-" + i);
            same(name + " sentence", l.message.getUserProperty("sentence"), SENTENCE);
        }
        return EXCHANGED + " of each of " + writers.length + " writers, as they wrote them";
    }

    static String writeCodecs(Row row) throws Exception {
        row.topic = Objects.requireNonNull(System.getenv("INTEROP_TOPIC"));
        int count = 0;
        for (CompressionType codec : CompressionType.values()) {
            DefaultMQProducer producer = row.producer(codec.name(), codec);
            for (int number : NUMBERS_OF_CODECS) {
                Message message = new Message(row.topic, bodyOf(number));
                message.putUserProperty("writer", "java");
                message.putUserProperty("codec", codec.name());
                message.putUserProperty("number", "" + number);
                row.send(producer, message);
                count++;
            }
        }
        return count + " written";
    }

    static String readCodecs(Row row) throws Exception {
        row.topic = Objects.requireNonNull(System.getenv("INTEROP_TOPIC"));
        String writers = System.getenv("INTEROP_WRITERS");
        Map<String, Integer> missing = new HashMap<>();  // name → sysFlag, bit 0x1 cleared
        for (String writer : writers.split(" ")) {
            for (CompressionType codec : CompressionType.values()) {
                for (int number : NUMBERS_OF_CODECS) {
                    missing.put(writer + " " + codec + " " + number, number < 5 ? 0 : codec.getCompressionFlag());
                }
            }
        }
        int all = missing.size();
        Inbox inbox = new Inbox();
        row.consumer(inbox, "only", "*");
        inbox.expectExactly(all);
        for (Letter l : inbox.letters) {
            MessageExt got = l.message;
            String number = got.getUserProperty("number");
            String name = got.getUserProperty("writer") + " " + got.getUserProperty("codec") + " " + number;
            Integer flag = missing.remove(name);
            expect(flag != null, name + " is unknown, or came twice");
            expect(Arrays.equals(got.getBody(), bodyOf(Integer.parseInt(number))), name + ": another body, of " + got.getBody().length);
            same(name + " sysFlag", got.getSysFlag() & (MessageSysFlag.COMPRESSION_TYPE_COMPARATOR | MessageSysFlag.COMPRESSED_FLAG), flag);
        }
        return all + " of ZLIB, LZ4 and ZSTD inflated: written by " + writers;
    }
}
