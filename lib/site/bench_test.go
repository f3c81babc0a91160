package site_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxops"
	"gocyrus/lib/message"
	"gocyrus/lib/spool"
	"gocyrus/lib/stage"
	"gocyrus/lib/synclog"
)

// BenchmarkSyncLog is what the log of replication costs: APPEND and STORE without it,
// with it, and with a reader that takes it away as sync_client does, far more often.
func BenchmarkSyncLog(b *testing.B) {
	for _, on := range []string{"no", "yes", "read"} {
		for _, bench := range []struct {
			name string
			fn   func(*testing.B, *worker)
		}{{"append", appendOne}, {"store", storeOne}} {
			b.Run(bench.name+"/"+on, func(b *testing.B) {
				option := on
				if on == "read" {
					option = "yes"
				}
				b.Setenv("GOCYRUS_SITE_OPTIONS", "sync_log: "+option)
				s, err := open(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				if _, err := s.Ops.Create(b.Context(), admin, "user.ann", mboxops.CreateParams{}); err != nil {
					b.Fatal(err)
				}
				if on == "read" {
					ctx, stop := context.WithCancel(b.Context())
					defer stop()
					go reader(ctx, synclog.OptionsFrom(s.Config))
				}
				w := &worker{s: s, stager: stage.New(s.Mailboxes)}
				bench.fn(b, w)
			})
		}
	}
}

// reader takes the log away ten times a second.
func reader(ctx context.Context, o synclog.Options) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if taken, err := synclog.Take(o, ""); err == nil && taken != nil {
			taken.Done()
		}
	}
}

func appendOne(b *testing.B, w *worker) {
	dir, err := w.stager.DirOf("default")
	if err != nil {
		b.Fatal(err)
	}
	e, err := w.s.List.Lookup("user.ann")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f := spool.New(dir, spool.LMTP, spool.Options{Parse: message.DefaultOptions()})
		fmt.Fprintf(f, "From: a@example.net\r\nSubject: x\r\n\r\n%1000d\r\n", 1)
		msg, err := f.Finish()
		if err != nil {
			b.Fatal(err)
		}
		for _, r := range w.stager.Append(b.Context(), []stage.Target{{Entry: e}}, f, msg) {
			if r.Err != nil {
				b.Fatal(r.Err)
			}
		}
		f.Close()
	}
}

func storeOne(b *testing.B, w *worker) {
	if err := w.deliverTo(b.Context(), "user.ann"); err != nil {
		b.Fatal(err)
	}
	e, err := w.s.List.Lookup("user.ann")
	if err != nil {
		b.Fatal(err)
	}
	m, err := w.s.Mailboxes.Open(b.Context(), e)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	for b.Loop() {
		err := m.Update(b.Context(), func(tx *mailbox.Tx) error {
			var r indexfile.Record
			if err := tx.Record(1, &r); err != nil {
				return err
			}
			r.Flags ^= indexfile.Flagged
			return tx.Rewrite(1, &r)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
