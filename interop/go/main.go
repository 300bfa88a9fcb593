// Command interop is Apache's Go client against any home: interop NAMESRV ROW..., or "all". One JSON object a line as
// rows end, {"row", "ok", "detail"}; exit status 0 when every row is ok. The rows are those of ../cpp.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	rocketmq "github.com/apache/rocketmq-client-go/v2"
	"github.com/apache/rocketmq-client-go/v2/consumer"
	"github.com/apache/rocketmq-client-go/v2/primitive"
	"github.com/apache/rocketmq-client-go/v2/producer"
	"github.com/apache/rocketmq-client-go/v2/rlog"
)

const (
	arrive     = 60 * time.Second // this client shares queues every 20 s, and heartbeats every 30 s
	stray      = 250 * time.Millisecond
	idle       = 3 * time.Second
	atOnce     = 500 * time.Millisecond
	queues     = 4 // of a topic made by the first send
	bodyMax    = 4 << 20
	illegal    = 13
	anyRefusal = -1
	sentence   = "grüß Gott, 你好 = a;b"
)

// failure ends a row from any depth.
type failure string

func fail(format string, values ...any) { panic(failure(fmt.Sprintf(format, values...))) }

func expect(holds bool, format string, values ...any) {
	if !holds {
		fail(format, values...)
	}
}

func must(err error, what string) { expect(err == nil, "%s: %v", what, err) }

func await(wait time.Duration, done func() bool) bool {
	for until := time.Now().Add(wait); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			return false
		}
	}
	return true
}

type letter struct {
	message *primitive.MessageExt
	member  string
	at      time.Time
}

// inbox holds what listeners saw, the message that makes the topic aside.
type inbox struct {
	mutex   sync.Mutex
	letters []letter
}

func (in *inbox) put(member string, messages []*primitive.MessageExt) {
	now := time.Now()
	in.mutex.Lock()
	defer in.mutex.Unlock()
	for _, m := range messages {
		if m.GetTags() != "opener" {
			in.letters = append(in.letters, letter{m, member, now})
		}
	}
}

func (in *inbox) all() []letter {
	in.mutex.Lock()
	defer in.mutex.Unlock()
	return append([]letter(nil), in.letters...)
}

func (in *inbox) of(member, prefix string) int {
	count := 0
	for _, l := range in.all() {
		if l.member == member && strings.HasPrefix(string(l.message.Body), prefix) {
			count++
		}
	}
	return count
}

func (in *inbox) expectExactly(count int) {
	expect(await(arrive, func() bool { return len(in.all()) >= count }), "%d of %d messages arrived in %v", len(in.all()),
		count, arrive)
	time.Sleep(stray)
	expect(len(in.all()) == count, "%d messages more than the %d sent", len(in.all())-count, count)
}

// row is one row's names, and the clients it has to end.
type row struct {
	namesrv, topic, group string
	ends                  []func() error
}

func (r *row) producer(name string, more ...producer.Option) rocketmq.Producer {
	all := append([]producer.Option{producer.WithNameServer(primitive.NamesrvAddr{r.namesrv}),
		producer.WithGroupName(r.topic + "-" + name), producer.WithInstanceName(r.topic + "-" + name)}, more...)
	made, err := rocketmq.NewProducer(all...)
	must(err, "making a producer")
	must(made.Start(), "starting a producer")
	r.ends = append(r.ends, made.Shutdown)
	return made
}

// first makes the topic. The client reads the new route once and may be too early, which it calls "route info not found".
func (r *row) first(by rocketmq.Producer, m *primitive.Message) {
	var err error
	ok := await(5*time.Second, func() bool {
		_, err = by.SendSync(context.Background(), m)
		return err == nil
	})
	expect(ok, "making the topic: %v", err)
}

func (r *row) openTopic() rocketmq.Producer {
	made := r.producer("p")
	r.first(made, r.message("opener").WithTag("opener"))
	return made
}

func (r *row) start(in *inbox, member, tags string) (rocketmq.PushConsumer, error) {
	made, err := rocketmq.NewPushConsumer(consumer.WithNameServer(primitive.NamesrvAddr{r.namesrv}),
		consumer.WithGroupName(r.group), consumer.WithInstance(r.topic+"-"+member),
		consumer.WithConsumeFromWhere(consumer.ConsumeFromFirstOffset))
	must(err, "making a consumer")
	selector := consumer.MessageSelector{Type: consumer.TAG, Expression: tags}
	must(made.Subscribe(r.topic, selector, func(_ context.Context, m ...*primitive.MessageExt) (consumer.ConsumeResult, error) {
		in.put(member, m)
		return consumer.ConsumeSuccess, nil
	}), "subscribing")
	if err := made.Start(); err != nil {
		return nil, err
	}
	r.ends = append(r.ends, made.Shutdown)
	return made, nil
}

func (r *row) consumer(in *inbox, member, tags string) rocketmq.PushConsumer {
	var made rocketmq.PushConsumer
	var err error
	await(5*time.Second, func() bool { // 4.9 tells its name server of a new topic after it has answered the send
		made, err = r.start(in, member, tags)
		return err == nil
	})
	must(err, "starting a consumer")
	return made
}

func (r *row) message(body string) *primitive.Message {
	return primitive.NewMessage(r.topic, []byte(body))
}

func send(by rocketmq.Producer, messages ...*primitive.Message) *primitive.SendResult {
	sent, err := by.SendSync(context.Background(), messages...)
	must(err, "sending")
	expect(sent.Status == primitive.SendOK, "status %v", sent.Status)
	return sent
}

func (r *row) send(by rocketmq.Producer, prefix string, count int) {
	for i := 0; i < count; i++ {
		send(by, r.message(fmt.Sprint(prefix, i)))
	}
}

func rowSync(r *row) string {
	const count = 80
	p := r.openTopic()
	last, ids := map[int]int64{}, map[string]bool{}
	for i := 0; i < count; i++ {
		sent := send(p, r.message(fmt.Sprint(i)).WithKeys([]string{fmt.Sprint("k", i)}))
		before, known := last[sent.MessageQueue.QueueId]
		expect(!known || sent.QueueOffset == before+1, "a gap before %d", sent.QueueOffset)
		last[sent.MessageQueue.QueueId] = sent.QueueOffset
		ids[sent.MsgID], ids[sent.OffsetMsgID] = true, true
	}
	expect(len(ids) == 2*count, "%d different ids of %d", len(ids), 2*count)
	expect(len(last) == queues, "%d queues took part", len(last))
	return fmt.Sprint(count, " answered, offsets without gaps")
}

func rowAsync(r *row) string {
	const count = 1000
	p := r.openTopic()
	var ok, called atomic.Int64
	var first atomic.Value
	for i := 0; i < count; i++ {
		err := p.SendAsync(context.Background(), func(_ context.Context, sent *primitive.SendResult, err error) {
			if err == nil && sent.Status == primitive.SendOK {
				ok.Add(1)
			} else {
				first.CompareAndSwap(nil, fmt.Sprint(err))
			}
			called.Add(1)
		}, r.message(fmt.Sprint(i)))
		must(err, "sending")
	}
	expect(await(arrive, func() bool { return called.Load() >= count }), "%d callbacks for %d sends", called.Load(), count)
	time.Sleep(stray)
	expect(ok.Load() == count && called.Load() == count, "%d ok, %d callbacks, first failure %v", ok.Load(), called.Load(),
		first.Load())
	return fmt.Sprint(count, " called back once each")
}

func rowOneway(r *row) string {
	const count = 100
	p := r.openTopic()
	for i := 0; i < count; i++ {
		must(p.SendOneWay(context.Background(), r.message(fmt.Sprint(i))), "sending")
	}
	in := &inbox{}
	r.consumer(in, "only", "*")
	in.expectExactly(count)
	return fmt.Sprint(count, " arrived")
}

func rowBatch(r *row) string {
	const batches, size = 5, 32
	p := r.openTopic()
	where := map[string]string{}
	for b := 0; b < batches; b++ {
		var messages []*primitive.Message
		for i := 0; i < size; i++ {
			messages = append(messages, r.message(fmt.Sprint(b, "/", i)).WithTag(fmt.Sprint("t", b)))
		}
		sent := send(p, messages...)
		ids := len(strings.Split(sent.OffsetMsgID, ",")) // MsgID is empty: this client gives a batch no ids of its own
		expect(ids == size, "%d ids for a batch of %d", ids, size)
		for i := 0; i < size; i++ {
			where[fmt.Sprint(b, "/", i)] = fmt.Sprint(sent.MessageQueue.QueueId, " ", sent.QueueOffset+int64(i))
		}
	}
	in := &inbox{}
	r.consumer(in, "only", "*")
	in.expectExactly(batches * size)
	for _, l := range in.all() {
		at := fmt.Sprint(l.message.Queue.QueueId, " ", l.message.QueueOffset)
		expect(at == where[string(l.message.Body)], "%s lies at %s, the answer said %s", l.message.Body, at,
			where[string(l.message.Body)])
	}
	return fmt.Sprint(batches, " batches of ", size, " arrived where the answers said")
}

func rowConsume(r *row) string {
	const count = 120
	p := r.openTopic()
	bodies, results := map[string][]byte{}, map[string]*primitive.SendResult{}
	for i := 0; i < count; i++ {
		number := fmt.Sprint(i)
		bodies[number] = bodyOf(i) // up to 116 KiB; this client compresses those above 4 KiB
		m := primitive.NewMessage(r.topic, bodyOf(i)).WithTag(fmt.Sprint("tag-", i%3)).WithKeys([]string{"key-" + number, "other"})
		m.WithProperty("number", number)
		m.WithProperty("sentence", sentence)
		results[number] = send(p, m)
	}
	in := &inbox{}
	r.consumer(in, "only", "*")
	in.expectExactly(count)
	for _, l := range in.all() {
		m := l.message
		number := m.GetProperty("number")
		result := results[number]
		expect(result != nil, "an unknown number: %s", number)
		expect(bytes.Equal(m.Body, bodies[number]), "the body of %s differs", number)
		i, _ := strconv.Atoi(number)
		same("topic", m.Topic, r.topic)
		same("keys", strings.TrimSpace(m.GetKeys()), "key-"+number+" other")
		same("tags", m.GetTags(), fmt.Sprint("tag-", i%3))
		same("sentence", m.GetProperty("sentence"), sentence)
		same("msgId", m.MsgId, result.MsgID)
		same("offsetMsgId", m.OffsetMsgId, result.OffsetMsgID)
		same("queue", m.Queue.QueueId, result.MessageQueue.QueueId)
		same("offset", m.QueueOffset, result.QueueOffset)
		same("reconsumeTimes", m.ReconsumeTimes, int32(0))
	}
	return fmt.Sprint(count, " arrived with every field as sent")
}

func same[T comparable](what string, got, sent T) {
	expect(got == sent, "%s: got '%v', sent '%v'", what, got, sent)
}

func rowTags(r *row) string {
	const count = 90
	p := r.openTopic()
	sendAll := func(prefix string) {
		for i := 0; i < count; i++ {
			send(p, r.message(fmt.Sprint(prefix, i)).WithTag(string("ABC"[i%3])))
		}
	}
	sendAll("early")
	in := &inbox{}
	r.consumer(in, "only", "A || C")
	sendAll("late")
	in.expectExactly(2 * count / 3 * 2)
	for _, l := range in.all() {
		expect(l.message.GetTags() != "B", "a message with tag B came")
	}
	return fmt.Sprint(2*count/3*2, " of ", 2*count, " arrived, none of the third tag")
}

// rowShare asks with rounds of messages whose the queues are: this client does not say.
func rowShare(r *row) string {
	const count = 40
	p := r.openTopic()
	in := &inbox{}
	rounds := 0
	until := func(what string, first, second int) {
		ok := await(arrive, func() bool {
			rounds++
			prefix := fmt.Sprint("round", rounds, "-")
			r.send(p, prefix, count)
			expect(await(arrive, func() bool { return in.of("first", prefix)+in.of("second", prefix) >= count }),
				"%s: %d of %d messages of a round arrived", what, in.of("first", prefix)+in.of("second", prefix), count)
			return in.of("first", prefix) == first && in.of("second", prefix) == second
		})
		expect(ok, "%s: never %d and %d of %d", what, first, second, count)
	}
	r.consumer(in, "first", "*")
	until("alone", count, 0)
	came := time.Now()
	second := r.consumer(in, "second", "*")
	until("both", count/2, count/2)
	shared := time.Now()
	must(second.Shutdown(), "leaving")
	until("again alone", count, 0)
	taken := time.Now()
	bodies := map[string]bool{}
	for _, l := range in.all() {
		bodies[string(l.message.Body)] = true
	}
	expect(len(bodies) == rounds*count, "%d of %d messages arrived", len(bodies), rounds*count)
	return fmt.Sprintf("shared after %d ms, taken over after %d ms, nothing lost, %d twice", shared.Sub(came).Milliseconds(),
		taken.Sub(shared).Milliseconds(), len(in.all())-len(bodies))
}

func rowResume(r *row) string {
	const count = 100
	p := r.openTopic()
	r.send(p, "before", count)
	before := &inbox{}
	first := r.consumer(before, "first", "*")
	before.expectExactly(count)
	must(first.Shutdown(), "ending")
	r.send(p, "meanwhile", count/2)
	after := &inbox{}
	r.consumer(after, "again", "*")
	after.expectExactly(count / 2)
	for _, l := range after.all() {
		expect(strings.HasPrefix(string(l.message.Body), "meanwhile"), "%s came again", l.message.Body)
	}
	return fmt.Sprint("the second life got the ", count/2, " messages of the time between, and no other")
}

func rowLongPoll(r *row) string {
	const count = 6
	p := r.openTopic()
	in := &inbox{}
	r.consumer(in, "only", "*")
	r.send(p, "warm", queues) // every queue has its pull
	in.expectExactly(queues)
	var longest time.Duration
	for i := 0; i < count; i++ {
		time.Sleep(map[bool]time.Duration{true: idle, false: time.Second}[i == 0])
		at := time.Now()
		send(p, r.message(fmt.Sprint(i)))
		expect(await(arrive, func() bool { return len(in.all()) == queues+i+1 }), "no arrival")
		if took := in.all()[queues+i].at.Sub(at); took > longest {
			longest = took
		}
	}
	expect(longest <= atOnce, "the longest wait was %d ms", longest.Milliseconds())
	return fmt.Sprintf("longest way of %d to an idle consumer: %d ms", count, longest.Milliseconds())
}

func rowNewTopic(r *row) string {
	in := &inbox{}
	_, err := r.start(in, "early", "*")
	expect(err != nil, "this client subscribed to a topic that there is not")
	p := r.producer("p")
	r.first(p, r.message("first"))
	seen := map[int]bool{}
	for i := 0; i < 2*queues; i++ {
		seen[send(p, r.message(fmt.Sprint(i))).MessageQueue.QueueId] = true
	}
	expect(len(seen) == queues, "the new topic has %d queues", len(seen))
	r.consumer(in, "only", "*")
	in.expectExactly(2*queues + 1)
	return fmt.Sprint("made by the first send with ", queues, " queues; this client starts no consumer before")
}

var codeText = regexp.MustCompile(`CODE: (-?\d+)`)

// refusal is the code that an error of this client carries in its text: 0 when it has none.
func refusal(what string, wanted int, sent *primitive.SendResult, err error) string {
	expect(err != nil, "%s was taken: %v", what, sent)
	got := 0
	if found := codeText.FindStringSubmatch(err.Error()); found != nil {
		got, _ = strconv.Atoi(found[1])
	}
	expect(wanted == anyRefusal || got == wanted, "%s: %v", what, err)
	return fmt.Sprint(what, " ", got)
}

func rowRefused(r *row) string {
	p := r.openTopic()
	plain := r.producer("plain", producer.WithCompressMsgBodyOverHowmuch(64<<20))
	big := make([]byte, bodyMax+1)
	rand.New(rand.NewSource(1)).Read(big)
	var said []string
	refused := func(what string, wanted int, m *primitive.Message) {
		sent, err := plain.SendSync(context.Background(), m)
		said = append(said, refusal(what, wanted, sent, err))
	}
	// This client checks none of these itself: the codes are the broker's.
	refused("oversize", illegal, primitive.NewMessage(r.topic, big))
	refused("name", anyRefusal, primitive.NewMessage("not a topic!", []byte("x")))
	refused("long-name", anyRefusal, primitive.NewMessage(strings.Repeat("n", 128), []byte("x")))
	refused("system-topic", anyRefusal, primitive.NewMessage("SCHEDULE_TOPIC_XXXX", []byte("x")))
	properties := r.message("x")
	properties.WithProperty("p", strings.Repeat("p", 40_000))
	refused("properties", illegal, properties)
	send(p, r.message("after"))
	send(plain, primitive.NewMessage(r.topic, big[:bodyMax-65536]))
	in := &inbox{}
	r.consumer(in, "only", "*")
	in.expectExactly(2)
	return strings.Join(said, ", ")
}

const exchanged = 40

func bodyOf(number int) []byte {
	body := make([]byte, number*997+1)
	for k := range body {
		body[k] = byte(k*31 + number)
	}
	return body
}

func rowWrite(r *row) string {
	r.topic = os.Getenv("INTEROP_TOPIC")
	p := r.producer("p")
	for i := 0; i < exchanged; i++ {
		m := primitive.NewMessage(r.topic, bodyOf(i)).WithTag(fmt.Sprint("tag-", i%3)).WithKeys([]string{fmt.Sprint("key-", i)})
		m.WithProperty("writer", "go")
		m.WithProperty("number", fmt.Sprint(i))
		m.WithProperty("sentence", sentence)
		send(p, m)
	}
	return fmt.Sprint(exchanged, " written")
}

func rowRead(r *row) string {
	r.topic = os.Getenv("INTEROP_TOPIC")
	missing := map[string]bool{}
	writers := strings.Fields(os.Getenv("INTEROP_WRITERS"))
	for _, writer := range writers {
		for i := 0; i < exchanged; i++ {
			missing[fmt.Sprint(writer, " ", i)] = true
		}
	}
	in := &inbox{}
	r.consumer(in, "only", "*")
	in.expectExactly(len(missing))
	for _, l := range in.all() {
		m := l.message
		number := m.GetProperty("number")
		name := m.GetProperty("writer") + " " + number
		expect(missing[name], "%s is unknown, or came twice", name)
		delete(missing, name)
		i, _ := strconv.Atoi(number)
		expect(bytes.Equal(m.Body, bodyOf(i)), "%s: another body, of %d bytes", name, len(m.Body))
		same(name+" tags", m.GetTags(), fmt.Sprint("tag-", i%3))
		same(name+" keys", strings.TrimSpace(m.GetKeys()), "key-"+number)
		same(name+" sentence", m.GetProperty("sentence"), sentence)
	}
	return fmt.Sprint(exchanged, " of each of ", len(writers), " writers, as they wrote them")
}

type named struct {
	name string
	run  func(*row) string
}

// What clients write for each other: INTEROP_TOPIC is where, INTEROP_WRITERS who. Not part of "all".
var exchange = []named{{"write", rowWrite}, {"read", rowRead}}

var rows = []named{
	{"sync", rowSync}, {"async", rowAsync}, {"oneway", rowOneway}, {"batch", rowBatch}, {"consume", rowConsume},
	{"tags", rowTags}, {"share", rowShare}, {"resume", rowResume}, {"long-poll", rowLongPoll}, {"new-topic", rowNewTopic},
	{"refused", rowRefused},
}

func runRow(namesrv, name string, run func(*row) string) (detail string, err error) {
	r := &row{namesrv: namesrv, topic: fmt.Sprintf("interop-go-%s-%d", name, time.Now().UnixMilli())}
	r.group = r.topic + "-g"
	defer func() {
		if why := recover(); why != nil {
			err = errors.New(fmt.Sprint(why))
		}
		for _, end := range r.ends {
			_ = end()
		}
	}()
	return run(r), nil
}

func main() {
	rlog.SetLogLevel(func() string {
		if level := os.Getenv("INTEROP_LOG"); level != "" {
			return level
		}
		return "fatal"
	}())
	good, wanted := true, 0
	for i, one := range append(rows, exchange...) {
		asked := false
		for _, name := range os.Args[min(2, len(os.Args)):] {
			asked = asked || name == one.name || name == "all" && i < len(rows)
		}
		if !asked {
			continue
		}
		wanted++
		detail, err := runRow(os.Args[1], one.name, one.run)
		if err != nil {
			detail = err.Error()
		}
		good = good && err == nil
		line, _ := json.Marshal(struct {
			Row    string `json:"row"`
			Ok     bool   `json:"ok"`
			Detail string `json:"detail"`
		}{one.name, err == nil, detail})
		fmt.Println(string(line))
	}
	if wanted == 0 {
		fmt.Fprintln(os.Stderr, "usage: interop NAMESRV ROW...   rows: all, or those of ../cpp")
		os.Exit(2)
	}
	if !good {
		os.Exit(1)
	}
}
