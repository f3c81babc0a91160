package syncclient

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
)

// rec makes a record: its message is told by a letter.
func rec(uid uint32, message byte, modseq uint64, updated uint32, flags ...string) csync.Record {
	return csync.Record{UID: uid, ModSeq: modseq, LastUpdated: updated, GUID: guid.GUID{message}, Flags: flags}
}

// show is a plan in words.
func (p *mergePlan) show() string {
	names := map[act]string{touch: "touch", take: "take", expunge: "expunge", renumber: "renumber", fetch: "fetch", fetchNew: "fetch-new"}
	var words []string
	if p.HighestModSeq != 0 {
		words = append(words, fmt.Sprint("modseq ", p.HighestModSeq))
	}
	if p.UIDValidity != 0 {
		words = append(words, fmt.Sprint("uidvalidity ", p.UIDValidity))
	}
	if p.Annotations {
		words = append(words, "annotations")
	}
	for _, s := range p.Steps {
		words = append(words, fmt.Sprint(names[s.Act], " ", s.UID))
	}
	if len(p.Remote) > 0 {
		words = append(words, fmt.Sprint("there ", p.Remote))
	}
	return strings.Join(words, ", ")
}

// TestPlanMerge is the table of replication's conflicts, a row a situation. Both sides
// have LAST_UID 10 and HIGHESTMODSEQ 20 unless the case says otherwise.
func TestPlanMerge(t *testing.T) {
	type records = []csync.Record
	x := csync.Expunged
	for _, tc := range []struct {
		name          string
		local, remote csync.Mailbox
		here, there   records
		deleted       uint64
		want          string
	}{
		{name: "equal", here: records{rec(1, 'a', 5, 50)}, there: records{rec(1, 'a', 5, 50)}},
		{name: "the replica's modseq is higher", remote: csync.Mailbox{HighestModSeq: 30}, want: "modseq 30"},
		{name: "and its annotations come with it", want: "modseq 30, annotations",
			remote: csync.Mailbox{HighestModSeq: 30, Annotations: []csync.Annotation{{Entry: "/a"}}}},
		{name: "annotations of a replica that is behind", remote: csync.Mailbox{Annotations: []csync.Annotation{{Entry: "/a"}}}},
		{name: "the replica's uidvalidity is higher", remote: csync.Mailbox{UIDValidity: 9}, want: "uidvalidity 9"},
		{name: "both expunged", here: records{rec(1, 'a', 5, 50, x)}, there: records{rec(1, 'b', 6, 60, x)}},

		{name: "two messages of one uid, ours lower", here: records{rec(9, 'a', 5, 50)}, there: records{rec(9, 'b', 5, 50)},
			want: "renumber 9, fetch-new 9, there [9]"},
		{name: "two messages of one uid, theirs lower", here: records{rec(9, 'b', 5, 50)}, there: records{rec(9, 'a', 5, 50)},
			want: "fetch-new 9, renumber 9, there [9]"},
		{name: "two messages, ours expunged", here: records{rec(9, 'a', 5, 50, x)}, there: records{rec(9, 'b', 5, 50)},
			want: "touch 9, fetch-new 9, there [9]"},
		{name: "two messages, theirs expunged", here: records{rec(9, 'a', 5, 50)}, there: records{rec(9, 'b', 5, 50, x)},
			want: "renumber 9"},

		{name: "flags, theirs newer", here: records{rec(1, 'a', 5, 50)}, there: records{rec(1, 'a', 6, 60, `\Seen`)}, want: "take 1"},
		{name: "flags, theirs newer in the same second", here: records{rec(1, 'a', 5, 50)}, there: records{rec(1, 'a', 6, 50, `\Seen`)}, want: "take 1"},
		{name: "flags, theirs with the higher modseq and older", here: records{rec(1, 'a', 5, 50)}, there: records{rec(1, 'a', 6, 40, `\Seen`)}, want: "touch 1"},
		{name: "flags, ours with the higher modseq", here: records{rec(1, 'a', 7, 50)}, there: records{rec(1, 'a', 6, 60, `\Seen`)}, want: "touch 1"},
		{name: "expunged there", here: records{rec(1, 'a', 7, 70)}, there: records{rec(1, 'a', 6, 60, x)}, want: "expunge 1"},
		{name: "expunged here", here: records{rec(1, 'a', 5, 50, x)}, there: records{rec(1, 'a', 9, 90)}, want: "touch 1"},

		{name: "only here, below their last uid", here: records{rec(4, 'a', 5, 50)}, want: "renumber 4"},
		{name: "only here and expunged", here: records{rec(4, 'a', 5, 50, x)}},
		{name: "only here, new", local: csync.Mailbox{LastUID: 11}, here: records{rec(11, 'a', 25, 50)}, want: ""},
		{name: "only here, new, with a modseq they know", local: csync.Mailbox{LastUID: 11}, here: records{rec(11, 'a', 20, 50)}, want: "touch 11"},

		{name: "only there and expunged", there: records{rec(4, 'a', 5, 50, x)}},
		{name: "only there, new", remote: csync.Mailbox{LastUID: 12}, there: records{rec(12, 'a', 5, 50)}, want: "fetch 12"},
		{name: "only there, purged here", there: records{rec(4, 'a', 5, 50)}, deleted: 6, want: "there [4]"},
		{name: "only there, changed since it was purged here", there: records{rec(4, 'a', 7, 50)}, deleted: 6, want: "fetch-new 4, there [4]"},
		{name: "only there, unknown here", there: records{rec(4, 'a', 5, 50)}, want: "fetch-new 4, there [4]"},

		{name: "what keeps its uid comes first", remote: csync.Mailbox{LastUID: 12},
			here: records{rec(8, 'a', 5, 50), rec(9, 'c', 5, 50)}, there: records{rec(8, 'b', 5, 50), rec(9, 'c', 6, 60), rec(12, 'd', 7, 70)},
			want: "take 9, fetch 12, renumber 8, fetch-new 8, there [8]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			local, remote := tc.local, tc.remote
			for _, m := range []*csync.Mailbox{&local, &remote} {
				m.LastUID = max(m.LastUID, 10)
				m.HighestModSeq = max(m.HighestModSeq, 20)
			}
			p := planMerge(&local, &remote, tc.here, tc.there, tc.deleted)
			if got := p.show(); got != tc.want {
				t.Errorf("plan: %s\nwant: %s", got, tc.want)
			}
			if want := max(local.LastUID, remote.LastUID); p.LastUID != want {
				t.Errorf("LAST_UID %d; want %d", p.LastUID, want)
			}
		})
	}
}

// side is one server's copy of a mailbox, as far as merging is concerned.
type side struct {
	lastUID uint32
	modseq  uint64
	records []csync.Record
}

func (s *side) mailbox() *csync.Mailbox {
	return &csync.Mailbox{LastUID: s.lastUID, HighestModSeq: s.modseq}
}

func (s *side) at(uid uint32) *csync.Record {
	for i := range s.records {
		if s.records[i].UID == uid {
			return &s.records[i]
		}
	}
	return nil
}

func (s *side) tick() uint64 { s.modseq++; return s.modseq }

func (s *side) append(r csync.Record, uid uint32) {
	r.UID, r.ModSeq = uid, s.tick()
	s.records = append(s.records, r)
	s.lastUID = max(s.lastUID, uid)
}

func (s *side) expunge(uid uint32) {
	if r := s.at(uid); !r.Has(csync.Expunged) {
		r.Flags = append(slices.Clone(r.Flags), csync.Expunged)
		r.ModSeq = s.tick()
	}
}

func (s *side) live() map[guid.GUID]bool {
	m := make(map[guid.GUID]bool)
	for _, r := range s.records {
		if !r.Has(csync.Expunged) {
			m[r.GUID] = true
		}
	}
	return m
}

func (s *side) clone() *side {
	c := *s
	c.records = nil
	for i := range s.records {
		c.records = append(c.records, cloneRecord(&s.records[i]))
	}
	return &c
}

// carryOut is what the client does with a plan, on the two models.
func (p *mergePlan) carryOut(here, there *side) {
	here.modseq = max(here.modseq, p.HighestModSeq)
	for _, s := range p.Steps {
		if s.Act.turn() > 0 {
			here.lastUID = max(here.lastUID, p.LastUID)
		}
		switch s.Act {
		case touch:
			here.at(s.UID).ModSeq = here.tick()
		case take:
			here.at(s.UID).Flags = slices.Clone(s.Remote.Flags)
			here.at(s.UID).ModSeq = here.tick()
		case expunge:
			here.expunge(s.UID)
		case renumber:
			here.append(*here.at(s.UID), here.lastUID+1)
			here.expunge(s.UID)
		case fetch:
			here.append(*s.Remote, s.UID)
		case fetchNew:
			here.append(*s.Remote, here.lastUID+1)
		}
	}
	here.lastUID = max(here.lastUID, p.LastUID)
	for _, uid := range p.Remote {
		// Without a new modseq.
		r := there.at(uid)
		r.Flags = append(slices.Clone(r.Flags), csync.Expunged)
	}
}

// update is the APPLY MAILBOX that follows: what is newer than the replica knows. It
// says what a replica would refuse.
func (s *side) update(from *side) error {
	for _, r := range from.records {
		if r.ModSeq <= s.modseq {
			continue
		}
		mine := s.at(r.UID)
		switch {
		case mine != nil && mine.Has(csync.Expunged) && r.Has(csync.Expunged):
			mine.ModSeq, mine.Flags = r.ModSeq, r.Flags
		case mine != nil && mine.Has(csync.Expunged):
			return fmt.Errorf("uid %d lives again", r.UID)
		case mine != nil && mine.GUID != r.GUID:
			return fmt.Errorf("uid %d is another message", r.UID)
		case mine != nil:
			mine.ModSeq, mine.Flags = r.ModSeq, r.Flags
		case r.UID <= s.lastUID && !r.Has(csync.Expunged):
			return fmt.Errorf("uid %d is not above %d", r.UID, s.lastUID)
		case r.UID > s.lastUID:
			s.records = append(s.records, r)
		}
	}
	s.lastUID, s.modseq = from.lastUID, from.modseq
	return nil
}

// TestMergeAny has two sides change a mailbox apart, and merges: the replica refuses
// nothing, both sides have the same live messages under the same UIDs with the same
// flags and modseqs, and what neither side expunged is there.
func TestMergeAny(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for round := range 3000 {
		next := byte(1)
		fresh := func() csync.Record {
			next++
			return csync.Record{GUID: guid.GUID{next}, LastUpdated: uint32(rnd.IntN(100))}
		}
		here := &side{modseq: 1}
		for range rnd.IntN(6) {
			here.append(fresh(), here.lastUID+1)
		}
		there := here.clone()
		kept := here.live()
		for _, s := range []*side{here, there} {
			for range rnd.IntN(6) {
				switch k := rnd.IntN(3); {
				case k == 0 || len(s.records) == 0:
					r := fresh()
					kept[r.GUID] = true
					s.append(r, s.lastUID+1)
				case k == 1:
					r := s.at(s.records[rnd.IntN(len(s.records))].UID)
					delete(kept, r.GUID)
					s.expunge(r.UID)
				default:
					r := &s.records[rnd.IntN(len(s.records))]
					if !r.Has(csync.Expunged) {
						r.Flags, r.ModSeq, r.LastUpdated = []string{fmt.Sprint("f", rnd.IntN(9))}, s.tick(), uint32(rnd.IntN(100))
					}
				}
			}
		}
		p := planMerge(here.mailbox(), there.mailbox(), here.records, there.records, 0)
		p.carryOut(here, there)
		if err := there.update(here); err != nil {
			t.Fatalf("round %d: %v; plan: %s", round, err, p.show())
		}
		if here.lastUID != there.lastUID || here.modseq != there.modseq {
			t.Fatalf("round %d: last uids %d, %d; modseqs %d, %d", round, here.lastUID, there.lastUID, here.modseq, there.modseq)
		}
		for _, pair := range [][2]*side{{here, there}, {there, here}} {
			for _, r := range pair[0].records {
				if r.Has(csync.Expunged) {
					continue
				}
				o := pair[1].at(r.UID)
				if o == nil || o.GUID != r.GUID || o.ModSeq != r.ModSeq || !sameFlags(o.Flags, r.Flags) {
					t.Fatalf("round %d: uid %d: %+v and %+v; plan: %s", round, r.UID, r, o, p.show())
				}
			}
		}
		live := here.live()
		for g := range kept {
			if !live[g] {
				t.Fatalf("round %d: message %x is lost; plan: %s", round, g[:1], p.show())
			}
		}
	}
}
