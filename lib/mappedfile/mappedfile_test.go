package mappedfile

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocyrus/lib/lock"
)

func write(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

func TestReplace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Replace(path, 0o600, write("one")); err != nil {
		t.Fatal(err)
	}
	// What fails leaves the old contents and no scraps.
	boom := errors.New("boom")
	if err := Replace(path, 0o600, func(io.Writer) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("err = %v", err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "one" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := os.Stat(path + ".NEW"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("scraps: %v", err)
	}
}

// Who waits for a file that is replaced meanwhile gets the new one.
func TestOpenLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := Replace(path, 0o600, write("old")); err != nil {
		t.Fatal(err)
	}
	holder, err := OpenLocked(context.Background(), path, os.O_RDWR, lock.Exclusive)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if f, err := OpenLocked(short, path, os.O_RDWR, lock.Exclusive); !errors.Is(err, lock.ErrBusy) {
		t.Errorf("while it is held: %v, %v", f, err)
	}
	got := make(chan string, 1)
	go func() {
		f, err := OpenLocked(context.Background(), path, os.O_RDWR, lock.Exclusive)
		if err != nil {
			got <- err.Error()
			return
		}
		defer f.Close()
		b, _ := io.ReadAll(f)
		got <- string(b)
	}()
	if err := errors.Join(Replace(path, 0o600, write("new")), holder.Close()); err != nil {
		t.Fatal(err)
	}
	if text := <-got; text != "new" {
		t.Errorf("got %q", text)
	}
}

func TestMapGrows(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := NewMap(f)
	if err != nil || len(m.Bytes()) != 0 {
		t.Fatal(m, err)
	}
	for _, size := range []int64{10, 5000, 300000} {
		if _, err := f.WriteAt([]byte{'x'}, size-1); err != nil {
			t.Fatal(err)
		}
		if err := m.Refresh(); err != nil {
			t.Fatal(err)
		}
		if b := m.Bytes(); int64(len(b)) != size || b[size-1] != 'x' {
			t.Errorf("%d octets mapped of %d", len(b), size)
		}
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// TestCreate: a file is made, whoever removes the directory while it is empty.
func TestCreate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				os.Remove(dir)
			}
		}
	})
	for range 2000 {
		f, err := Create(filepath.Join(dir, "file"), os.O_RDWR, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(f.Name()); err != nil {
			t.Fatal(err)
		}
		f.Close()
		os.Remove(f.Name())
	}
	close(stop)
	all.Wait()
	if _, err := Create(dir+"/file/no", os.O_RDWR, 0o644); err != nil {
		t.Error(err)
	}
	if _, err := Create(dir+"/file/no/more", os.O_RDWR, 0o644); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("in a file: %v", err)
	}
}
