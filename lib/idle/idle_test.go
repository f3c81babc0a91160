package idle

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// eventually waits for a condition that other goroutines bring about.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

func received(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func mustReceive(t *testing.T, what string, ch <-chan struct{}) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(20 * time.Second):
		t.Fatalf("no wake-up: %s", what)
	}
}

func TestHubInProcess(t *testing.T) {
	h := newHub(Options{})
	a1, stopA1 := h.Watch("a")
	a2, stopA2 := h.Watch("a")
	b, stopB := h.Watch("b")
	defer stopB()

	h.Notify("a")
	h.Notify("a")
	if !received(a1) || !received(a2) {
		t.Error("a watcher of a was not woken")
	}
	if received(a1) {
		t.Error("two changes woke twice: they should be one wake-up")
	}
	if received(b) {
		t.Error("the watcher of b was woken for a")
	}
	stopA1()
	stopA1()
	h.Notify("a")
	if received(a1) {
		t.Error("a stopped watcher was woken")
	}
	if !received(a2) {
		t.Error("the other watcher was not")
	}
	stopA2()
	if keys := h.keys(); !slices.Equal(keys, []string{"b"}) {
		t.Errorf("keys left: %q, want b", keys)
	}
}

// server runs an idled in dir until the test ends or stop is called.
func server(t *testing.T, dir string) (stop func()) {
	t.Helper()
	s, err := Listen(filepath.Join(dir, "idle"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(ctx, func() bool { return false }); err != nil {
			t.Errorf("Serve: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// process is a hub that stands for another process: it has its own socket.
func process(t *testing.T, dir, name string) *Hub {
	t.Helper()
	own := filepath.Join(dir, name)
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	h := New(Options{Socket: filepath.Join(dir, "idle"), Dir: own, Poll: time.Minute, look: 5 * time.Millisecond})
	t.Cleanup(h.Close)
	return h
}

func TestBetweenProcesses(t *testing.T) {
	dir := t.TempDir()
	server(t, dir)
	one, two := process(t, dir, "1"), process(t, dir, "2")
	eventually(t, "both connected", func() bool { return one.Connected() && two.Connected() })

	ch, stop := two.Watch("id-1")
	other, stopOther := two.Watch("id-2")
	defer stopOther()
	// The watch and the change travel separately; repeat until it is known.
	eventually(t, "wake-up from the other process", func() bool {
		one.Notify("id-1")
		return received(ch)
	})
	if received(other) {
		t.Error("a watcher of another mailbox was woken")
	}
	stop()
	if _, err := os.Stat(filepath.Join(dir, "2")); err != nil {
		t.Fatal(err)
	}
}

func TestIdledComesLate(t *testing.T) {
	dir := t.TempDir()
	one, two := process(t, dir, "1"), process(t, dir, "2")
	var chans []<-chan struct{}
	for i := range 3 * maxKeys {
		ch, stop := two.Watch(string(rune('a'+i%26)) + time.Duration(i).String())
		defer stop()
		chans = append(chans, ch)
	}
	if one.Connected() {
		t.Fatal("connected to nobody")
	}
	stop := server(t, dir)
	eventually(t, "connected", func() bool { return one.Connected() && two.Connected() })
	last := 3*maxKeys - 1
	eventually(t, "the last of many keys", func() bool {
		one.Notify(string(rune('a'+last%26)) + time.Duration(last).String())
		return received(chans[last])
	})
	// Its end wakes everyone, to look for themselves.
	stop()
	mustReceive(t, "idled shutting down", chans[0])
}

func TestOldForm(t *testing.T) {
	dir := t.TempDir()
	server(t, dir)
	old, err := bind(filepath.Join(dir, "idle.1"))
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	teller, err := bind(filepath.Join(dir, "idle.2"))
	if err != nil {
		t.Fatal(err)
	}
	defer teller.Close()
	to := addr(filepath.Join(dir, "idle"))
	for _, step := range []struct {
		b    []byte
		mine bool
	}{
		{packBinary(kindStart, "user.fred"), true},
		{packBinary(kindNotify, "user.jane"), false},
		{packBinary(kindNotify, "user.fred"), false},
	} {
		c := teller
		if step.mine {
			c = old
		}
		if _, err := c.WriteToUnix(step.b, to); err != nil {
			t.Fatal(err)
		}
	}
	buf := make([]byte, maxDatagram)
	old.SetReadDeadline(time.Now().Add(20 * time.Second))
	n, from, err := old.ReadFromUnix(buf)
	if err != nil {
		t.Fatal(err)
	}
	if want := packBinary(kindNotify, "user.fred"); string(buf[:n]) != string(want) {
		t.Errorf("got %q, want %q", buf[:n], want)
	}
	if from.Name != to.Name {
		t.Errorf("from %s, want idled's socket %s", from.Name, to.Name)
	}
}

func TestParse(t *testing.T) {
	// As imapd 3.10 sends them, and as 3.6 does.
	start := []byte(`{"@type":"start","pid":77,"events":31,"timeout":1795325582,"filter":1,"keys":["u1"]}`)
	for _, tc := range []struct {
		name string
		in   []byte
		want datagram
		bad  bool
	}{
		{"3.10 start", framed(start), datagram{kind: kindStart, pid: 77, filter: 1, keys: []string{"u1"}}, false},
		{"3.10 stop", framed([]byte(`{"@type":"stop","pid":77,"filter":0}`)), datagram{kind: kindStop, pid: 77}, false},
		{"3.10 notify", framed([]byte(`{"@type":"notify","event":"MessageNew","mailboxID":"u2","x":{"y":[1]}}`)), datagram{kind: kindNotify, keys: []string{"u2"}}, false},
		{"3.6 init", []byte("\x00\x00\x00\x00\x00\x00\x00\x00user.a\x00"), datagram{kind: kindStart, binary: true, filter: 1, keys: []string{"user.a"}}, false},
		{"3.6 without end", []byte("\x02\x00\x00\x00\x00\x00\x00\x00user.a"), datagram{}, true},
		{"wrong length", append(framed(start), 'x'), datagram{}, true},
		{"nothing", nil, datagram{}, true},
		{"no JSON", framed([]byte("{ellipsis")), datagram{}, true},
		{"no kind", framed([]byte(`{"@type":"nonesuch"}`)), datagram{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := parse(tc.in)
			if (err != nil) != tc.bad {
				t.Fatalf("error %v, want one: %t", err, tc.bad)
			}
			if err == nil && (got.kind != tc.want.kind || got.pid != tc.want.pid || got.binary != tc.want.binary ||
				got.filter != tc.want.filter || !slices.Equal(got.keys, tc.want.keys)) {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}

// FuzzParse: whatever comes, parse gives an error or a kind it knows, and what
// we pack is read back.
func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{
		packStart(1, []string{"a", "b"}, true), packStop(2, nil), packNotify(3, "id"), packAlert(4, "text"),
		packBinary(kindNotify, "user.a"), {}, framed([]byte("null")),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := parse(b)
		if err != nil {
			return
		}
		if d.kind < kindStart || d.kind > kindAlert {
			t.Fatalf("kind %d", d.kind)
		}
		if d.kind == kindNotify && d.binary {
			if again := packBinary(d.kind, d.keys[0]); string(again) != string(b) {
				t.Fatalf("read %q, packed %q", b, again)
			}
		}
	})
}

func BenchmarkNotify(b *testing.B) {
	h := newHub(Options{})
	for i := range 5000 {
		_, stop := h.Watch(time.Duration(i).String())
		defer stop()
	}
	key := time.Duration(77).String()
	b.ReportAllocs()
	for b.Loop() {
		h.Notify(key)
	}
}

func framed(body []byte) []byte {
	return append(binary.NativeEndian.AppendUint64(nil, uint64(len(body))), body...)
}

func addr(path string) *net.UnixAddr { return &net.UnixAddr{Name: path, Net: "unixgram"} }
