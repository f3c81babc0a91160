package syncclient

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/mboxname"
)

// boxes reads "id=name" and "id=name@partition", type letters after "/".
func boxes(list string) (all []*csync.Mailbox) {
	for _, w := range strings.Fields(list) {
		id, name, _ := strings.Cut(w, "=")
		name, part, _ := strings.Cut(name, "@")
		name, typ, _ := strings.Cut(name, "/")
		all = append(all, &csync.Mailbox{UniqueID: id, Name: mboxname.Name(name), Partition: part, Type: typ, UIDValidity: 7})
	}
	return all
}

func parkForTest(m *csync.Mailbox) mboxname.Name { return m.Name + "-" + mboxname.Name(m.UniqueID) }

// show is a plan in words, in order.
func show(p folderPlan) string {
	var b strings.Builder
	for _, n := range p.Deletes {
		fmt.Fprintf(&b, "del %s; ", n)
	}
	for _, r := range p.Renames {
		fmt.Fprintf(&b, "%s>%s", r.Old, r.New)
		if r.Partition != "" {
			fmt.Fprintf(&b, "@%s", r.Partition)
		}
		b.WriteString("; ")
	}
	for _, r := range p.Stuck {
		fmt.Fprintf(&b, "stuck %s>%s; ", r.Old, r.New)
	}
	for _, n := range p.Left {
		fmt.Fprintf(&b, "left %s; ", n)
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestPlanFolders(t *testing.T) {
	for _, tc := range []struct{ name, here, there, deleted, want string }{
		{"equal", "1=a 2=b", "1=a 2=b", "", ""},
		{"new here", "1=a 2=b", "1=a", "", ""},
		{"renamed", "1=b", "1=a", "", "a>b"},
		{"to another partition", "1=a@second", "1=a@default", "", "a>a@second"},
		{"renamed to another partition", "1=b@second", "1=a@default", "", "a>b@second"},
		{"deleted here", "1=a", "1=a 2=b", "2", "del b"},
		{"only there", "1=a", "1=a 2=b", "", "left b"},
		{"a tree", "1=b 2=b.x 3=b.x.y", "1=a 2=a.x 3=a.x.y", "", "a>b; a.x>b.x; a.x.y>b.x.y"},
		{"the later one is in the way", "1=b 2=c", "1=a 2=b", "", "b>c; a>b"},
		{"a chain", "1=b 2=c 3=d", "1=a 2=b 3=c", "", "c>d; b>c; a>b"},
		{"two swapped", "1=b 2=a", "1=a 2=b", "", "a>b-1; b>a; b-1>b"},
		{"three in a circle", "1=b 2=c 3=a", "1=a 2=b 3=c", "", "a>b-1; c>a; b>c; b-1>b"},
		{"two circles", "1=b 2=a 3=d 4=c", "1=a 2=b 3=c 4=d", "", "a>b-1; b>a; b-1>b; c>d-3; d>c; d-3>d"},
		{"a chain into a circle", "1=b 2=a 3=c", "1=a 2=b 3=x", "", "x>c; a>b-1; b>a; b-1>b"},
		{"the place of a deleted one", "1=b", "1=a 2=b", "2", "del b; a>b"},
		{"the place of one that stays", "1=b", "1=a 2=b", "", "stuck a>b; left b"},
		{"behind one that is stuck", "1=b 3=a", "1=a 2=b 3=c", "", "stuck a>b; stuck c>a; left b"},
		{"deleted with delay", "1=DELETED.a.1", "1=a", "", "a>DELETED.a.1"},
		{"delayed, and the name taken again", "1=DELETED.a.1 2=a", "1=a", "", "a>DELETED.a.1"},
		{"became an entry alone", "1=a/ei", "1=a", "", ""},
		{"is an entry alone there", "1=b", "1=a/ei", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			judge := func(m *csync.Mailbox) fate {
				if slices.Contains(strings.Fields(tc.deleted), m.UniqueID) {
					return remove
				}
				return leave
			}
			p := planFolders(boxes(tc.here), boxes(tc.there), judge, parkForTest)
			if got := show(p); got != tc.want {
				t.Errorf("plan: %s\nwant: %s", got, tc.want)
			}
			for _, r := range p.Renames {
				if r.UIDValidity != 7 {
					t.Errorf("%s > %s has UIDVALIDITY %d", r.Old, r.New, r.UIDValidity)
				}
			}
		})
	}
}

// TestPlanFoldersAny carries plans of random renamings out: no step hits a name that is
// taken, and at the end every mailbox has the name it should have.
func TestPlanFoldersAny(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		n := 1 + rnd.IntN(8)
		from, to := rnd.Perm(12)[:n], rnd.Perm(12)[:n]
		var here, there []*csync.Mailbox
		at := make(map[mboxname.Name]string)
		for i := range n {
			id := fmt.Sprint(i)
			here = append(here, &csync.Mailbox{UniqueID: id, Name: mboxname.Name(fmt.Sprint("n", to[i]))})
			there = append(there, &csync.Mailbox{UniqueID: id, Name: mboxname.Name(fmt.Sprint("n", from[i]))})
			at[there[i].Name] = id
		}
		p := planFolders(here, there, func(*csync.Mailbox) fate { return leave }, parkForTest)
		for _, r := range p.Renames {
			if at[r.Old] == "" || at[r.New] != "" {
				t.Fatalf("%v to %v: %s to %s cannot be done", from, to, r.Old, r.New)
			}
			at[r.New] = at[r.Old]
			delete(at, r.Old)
		}
		for _, l := range here {
			if at[l.Name] != l.UniqueID {
				t.Fatalf("%v to %v: %s is not at %s: %s", from, to, l.UniqueID, l.Name, show(p))
			}
		}
	}
}

func TestParkedName(t *testing.T) {
	free := func(mboxname.Name) bool { return false }
	for _, tc := range []struct {
		name mboxname.Name
		used func(mboxname.Name) bool
		want mboxname.Name
	}{
		{"user.alice.a", free, "user.alice.a-abc"},
		// Beside an INBOX would be another user's.
		{"user.alice", free, "user.alice.abc"},
		{"shared", free, "shared-abc"},
		{"a", func(n mboxname.Name) bool { return n == "a-abc" }, "a-bc"},
		{"a", func(n mboxname.Name) bool { return true }, "a-abc-abc"},
	} {
		if got := parkedName(tc.name, "abc", tc.used); got != tc.want {
			t.Errorf("parkedName(%s) = %s; want %s", tc.name, got, tc.want)
		}
	}
}
