package leveldb

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"gocyrus/lib/cyrusdb/kv"
)

// The environment of TestKill: how long it runs (CI: some seconds; by hand:
// minutes), and, for its children, what they are.
const (
	stressEnv = "GOCYRUS_STRESS"
	childEnv  = "GOCYRUS_LEVELDB_CHILD"
)

const (
	killWriters = 3
	killReaders = 3
)

func TestMain(m *testing.M) {
	if role := os.Getenv(childEnv); role != "" {
		if err := child(strings.Split(role, ":")); err != nil {
			fmt.Fprintln(os.Stderr, role, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestKill has writer and reader processes at one database, and kills writers
// and now and then a reader at random moments. The processes check that
//
//   - a batch is seen whole or not at all,
//   - what was acknowledged is seen by every read that begins afterwards, in
//     whatever process, and by the killed writer's successor,
//   - no reader sees a counter go back.
func TestKill(t *testing.T) {
	length := 3 * time.Second
	if s := os.Getenv(stressEnv); s != "" {
		var err error
		if length, err = time.ParseDuration(s); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		t.Skip("runs for seconds; not with -short")
	}
	dir := t.TempDir()
	db, err := Open(filepath.Join(dir, "db"), kv.Create)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	acked, err := mapAcks(dir)
	if err != nil {
		t.Fatal(err)
	}
	var procs []*proc
	for i := range killWriters {
		procs = append(procs, start(t, dir, "writer", i))
	}
	for i := range killReaders {
		procs = append(procs, start(t, dir, "reader", i))
	}
	kills := 0
	for end := time.Now().Add(length); time.Now().Before(end) && !t.Failed(); {
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond)
		n := rand.IntN(killWriters)
		if kills%10 == 9 {
			n = killWriters + rand.IntN(killReaders)
		}
		procs[n].kill(t)
		procs[n] = start(t, dir, procs[n].role, procs[n].id)
		kills++
	}
	for _, p := range procs {
		p.kill(t)
	}
	var total uint64
	for i := range acked {
		total += atomic.LoadUint64(&acked[i])
	}
	if total == 0 {
		t.Error("nothing was ever acknowledged")
	}
	if err := child([]string{"check", "0", dir}); err != nil {
		t.Error(err)
	}
	t.Logf("%d kills, %d acknowledged updates", kills, total)
}

type proc struct {
	cmd  *exec.Cmd
	role string
	id   int
	out  bytes.Buffer
}

func start(t *testing.T, dir, role string, id int) *proc {
	t.Helper()
	p := &proc{role: role, id: id, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s:%d:%s", childEnv, role, id, dir))
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return p
}

// kill ends the process; one that ended by itself had found something wrong.
func (p *proc) kill(t *testing.T) {
	t.Helper()
	_ = p.cmd.Process.Kill()
	err := p.cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("%s %d ended by itself: %v\n%s", p.role, p.id, err, p.out.String())
	}
}

// mapAcks maps the file in which writers note what they were told is done.
func mapAcks(dir string) (*[killWriters]uint64, error) {
	f, err := os.OpenFile(filepath.Join(dir, "acks"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(4096); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*[killWriters]uint64)(unsafe.Pointer(&mem[0])), nil
}

func child(role []string) error {
	id, err := strconv.Atoi(role[1])
	if err != nil {
		return err
	}
	acked, err := mapAcks(role[2])
	if err != nil {
		return err
	}
	db, err := Open(filepath.Join(role[2], "db"), 0)
	if err != nil {
		return err
	}
	if role[0] == "writer" {
		return writeOn(db, id, acked)
	}
	last := make([]uint64, killWriters)
	for {
		if err := look(db, last, acked); err != nil {
			return err
		}
		if role[0] == "check" {
			return db.Close()
		}
	}
}

func counter(db kv.DB, id int) (uint64, error) {
	v, err := db.Get(fmt.Appendf(nil, "c%d", id))
	if errors.Is(err, kv.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(string(v), 10, 64)
}

// writeOn counts on from where its predecessor was killed.
func writeOn(db kv.DB, id int, acked *[killWriters]uint64) error {
	n, err := counter(db, id)
	if err != nil {
		return err
	}
	if done := atomic.LoadUint64(&acked[id]); n < done {
		return fmt.Errorf("counter %d after %d was acknowledged", n, done)
	}
	for {
		n++
		err := db.Update(func(tx kv.Tx) error {
			size := 10
			if n%50 == 0 {
				size = 20 << 10
			}
			if n%501 == 0 {
				size = 1 << 20
			}
			val := append(fmt.Appendf(nil, "%d ", n), bytes.Repeat([]byte{'x'}, size)...)
			return errors.Join(
				tx.Put(fmt.Appendf(nil, "c%d", id), fmt.Appendf(nil, "%d", n)),
				tx.Put(fmt.Appendf(nil, "p%d-a", id), val),
				tx.Put(fmt.Appendf(nil, "p%d-z", id), val),
				tx.Put(fmt.Appendf(nil, "r%d-%04d", id, n%2000), val[:min(len(val), 500)]),
				tx.Delete(fmt.Appendf(nil, "r%d-%04d", id, (n+1000)%2000)))
		})
		if err != nil {
			return err
		}
		atomic.StoreUint64(&acked[id], n)
		if rand.IntN(20) == 0 {
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
		}
	}
}

// look is one round of a reader.
func look(db kv.DB, last []uint64, acked *[killWriters]uint64) error {
	for id := range killWriters {
		done := atomic.LoadUint64(&acked[id])
		n, err := counter(db, id)
		if err != nil {
			return err
		}
		if n < done || n < last[id] {
			return fmt.Errorf("writer %d: counter %d, %d was acknowledged, %d seen before", id, n, done, last[id])
		}
		last[id] = n
		var pair []string
		err = db.Scan(fmt.Appendf(nil, "p%d-", id), func(_, v []byte) error {
			number, _, _ := strings.Cut(string(v), " ")
			pair = append(pair, number)
			return nil
		})
		if err != nil {
			return err
		}
		if len(pair) == 0 && n == 0 {
			continue
		}
		if len(pair) != 2 || pair[0] != pair[1] {
			return fmt.Errorf("writer %d: torn batch: %q", id, pair)
		}
		if first, err := strconv.ParseUint(pair[0], 10, 64); err != nil || first < n {
			return fmt.Errorf("writer %d: batch %s after %d, %v", id, pair[0], n, err)
		}
	}
	return nil
}
