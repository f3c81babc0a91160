package drain

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gocyrus/lib/config"
	"gocyrus/lib/mboxlist"
)

func TestSettle(t *testing.T) {
	cfg, err := config.Parse(strings.NewReader("configdirectory: "+t.TempDir()+"\n"), filepath.Join(t.TempDir(), "imapd.conf"), "test")
	if err != nil {
		t.Fatal(err)
	}
	list, err := mboxlist.Open(mboxlist.OptionsFrom(cfg))
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	put := func(typ string) {
		t.Helper()
		e := &mboxlist.Entry{Name: "user.alice", Type: typ, UniqueID: "1", Partition: "default", Server: "b"}
		if err := list.Update(func(tx *mboxlist.Tx) error { return tx.Put(e) }); err != nil {
			t.Fatal(err)
		}
	}
	put("er")
	if left, err := Settle(t.Context(), list, time.Hour); left != 0 || err != nil {
		t.Errorf("nothing is on its way: %d, %v", left, err)
	}
	put("emr")
	if left, err := Settle(t.Context(), list, time.Millisecond); left != 1 || err != nil {
		t.Errorf("one is: %d, %v", left, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if left, err := Settle(ctx, list, time.Hour); left != 1 || err != nil {
		t.Errorf("interrupted: %d, %v", left, err)
	}
	done := make(chan int)
	go func() {
		left, _ := Settle(t.Context(), list, time.Hour)
		done <- left
	}()
	put("er")
	if left := <-done; left != 0 {
		t.Errorf("it has arrived: %d", left)
	}
}
