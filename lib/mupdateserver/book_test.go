package mupdateserver

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"gocyrus/lib/mboxname"
)

// TestBook compares a book with a map, through many changes and new lists.
func TestBook(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	name := func() mboxname.Name {
		n := mboxname.Name(fmt.Sprintf("user.u%d", r.IntN(400)))
		for range r.IntN(3) {
			n = n.Child(fmt.Sprintf("%x-%d", r.IntN(20), r.IntN(3)))
		}
		return n
	}
	news := func() told { return told{r.Uint64(), fmt.Sprintf("be%d.example.org", r.IntN(5))} }
	want := map[string]told{}
	for range 3000 {
		want[name().DB()] = news()
	}
	b := newBook()
	for _, key := range slices.Sorted(maps.Keys(want)) {
		b.add(key, want[key])
	}
	check := func() {
		t.Helper()
		got := map[string]told{}
		last := ""
		b.each(func(key string, t2 told) {
			if key <= last {
				t.Fatalf("%q after %q", key, last)
			}
			got[key], last = t2, key
		})
		if !maps.Equal(got, want) {
			t.Fatalf("%d mailboxes, want %d", len(got), len(want))
		}
	}
	check()
	for step := range 20_000 {
		switch n := name(); r.IntN(3) {
		case 0:
			b.remove(n)
			delete(want, n.DB())
		case 1:
			now := news()
			b.set(n, now)
			want[n.DB()] = now
		default:
			got, ok := b.get(n)
			if has, there := want[n.DB()]; ok != there || ok && got != has {
				t.Fatalf("step %d: %s is %v, %v; want %v, %v", step, n, got, ok, has, there)
			}
		}
	}
	check()
	if len(b.changed) > fewChanges+len(b.sums)/4 {
		t.Errorf("%d changes beside a list of %d", len(b.changed), len(b.sums))
	}
	b.renew()
	check()
	if len(b.changed) != 0 || len(b.sums) != len(want) {
		t.Errorf("a new list of %d, and %d changes; want %d", len(b.sums), len(b.changed), len(want))
	}
}

// TestBookSize: a mailbox takes little more than its own part of the name.
func TestBookSize(t *testing.T) {
	b := newBook()
	const n = 20_000
	for i := range n {
		b.add(fmt.Sprintf("user.name%05d.folder", i), told{uint64(i), "be1.example.org"})
	}
	if each := (cap(b.names) + 4*cap(b.blocks) + 8*cap(b.sums) + 4*cap(b.at)) / n; each > 40 {
		t.Errorf("%d octets for each", each)
	}
}
