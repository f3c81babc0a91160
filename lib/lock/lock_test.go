package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTwoDescriptorsOfOneProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	a, b := open(t, path), open(t, path)
	for _, step := range []struct {
		name string
		do   func() error
		want error
	}{
		{"a shared", func() error { return Try(a, Shared) }, nil},
		{"b shared too", func() error { return Try(b, Shared) }, nil},
		{"a cannot become exclusive", func() error { return Try(a, Exclusive) }, ErrBusy},
		{"b releases", func() error { return Release(b) }, nil},
		{"a becomes exclusive", func() error { return Try(a, Exclusive) }, nil},
		{"b cannot share", func() error { return Try(b, Shared) }, ErrBusy},
		{"a falls back to shared", func() error { return Try(a, Shared) }, nil},
		{"b shares", func() error { return Try(b, Shared) }, nil},
	} {
		if err := step.do(); !errors.Is(err, step.want) {
			t.Fatalf("%s: %v, want %v", step.name, err, step.want)
		}
	}
}

// A POSIX lock would vanish here.
func TestClosingAnotherDescriptorReleasesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	a := open(t, path)
	if err := Try(a, Exclusive); err != nil {
		t.Fatal(err)
	}
	open(t, path).Close()
	if err := Try(open(t, path), Shared); !errors.Is(err, ErrBusy) {
		t.Errorf("got %v, want %v", err, ErrBusy)
	}
}

func TestWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	a, b := open(t, path), open(t, path)
	if err := Try(a, Exclusive); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Wait(ctx, b, Shared); !errors.Is(err, ErrBusy) || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled wait: %v", err)
	}
	time.AfterFunc(5*time.Millisecond, func() { Release(a) })
	if err := Wait(context.Background(), b, Shared); err != nil {
		t.Errorf("wait for a release: %v", err)
	}
}

func TestCurrent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l")
	f := open(t, path)
	if ok, err := Current(f); !ok || err != nil {
		t.Errorf("just opened: %v, %v", ok, err)
	}
	open(t, path+".NEW")
	if err := os.Rename(path+".NEW", path); err != nil {
		t.Fatal(err)
	}
	if ok, err := Current(f); ok || err != nil {
		t.Errorf("replaced: %v, %v", ok, err)
	}
	os.Remove(path)
	if ok, err := Current(f); ok || err != nil {
		t.Errorf("removed: %v, %v", ok, err)
	}
}
