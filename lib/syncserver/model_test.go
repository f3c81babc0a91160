package syncserver

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gocyrus/lib/csync"
	"gocyrus/lib/guid"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mboxname"
)

// model is a mailbox as a master has it, with the octets of its messages.
type model struct {
	csync.Mailbox
	recs []csync.Record
	text map[guid.GUID]string
}

func newModel(name mboxname.Name, id string) *model {
	return &model{
		Mailbox: csync.Mailbox{
			UniqueID: id, Name: name, HighestModSeq: 1, UIDValidity: 1000, Partition: "default",
			ACL: "alice\tlrswipkxtecdan\t", Options: "P", CreatedModSeq: 1, FolderModSeq: 1, HasRecords: true,
		},
		text: map[guid.GUID]string{},
	}
}

// keywords are the keywords of models, in the order of their slots.
var keywords = []string{"$Label1", "Work", "work2", "$Forwarded"}

func (m *model) append(text string, flags ...string) {
	m.HighestModSeq++
	m.LastUID++
	m.LastAppendDate = 1795000000
	g := guid.Of([]byte(text))
	m.text[g] = text
	m.recs = append(m.recs, csync.Record{
		UID: m.LastUID, ModSeq: m.HighestModSeq, LastUpdated: 1795000000 + uint32(m.HighestModSeq), Flags: flags,
		InternalDate: 1704103200, Size: uint32(len(text)), GUID: g, Annotations: []csync.Annotation{
			{Entry: "/vendor/cmu/cyrus-imapd/savedate", Value: []byte("1795000000")},
			{Entry: "/vendor/cmu/cyrus-imapd/createdmodseq", Value: fmt.Append(nil, m.HighestModSeq)},
		},
	})
}

// touch changes record i by fn.
func (m *model) touch(i int, fn func(r *csync.Record)) {
	m.HighestModSeq++
	r := &m.recs[i]
	r.ModSeq, r.LastUpdated = m.HighestModSeq, 1795000000+uint32(m.HighestModSeq)
	fn(r)
}

// crcs sets the CRCs from the records.
func (m *model) crcs() {
	var names indexfile.FlagCRCs
	for slot, k := range keywords {
		names.SetName(slot, k)
	}
	m.SyncCRC, m.SyncCRCAnnot = indexfile.SyncCRCStart, indexfile.SyncCRCAnnotStart
	for i := range m.recs {
		r := &m.recs[i]
		if r.Has(csync.Expunged) {
			continue
		}
		row := indexfile.Record{UID: r.UID, ModSeq: r.ModSeq, LastUpdated: r.LastUpdated, InternalDate: r.InternalDate, GUID: indexfile.GUID(r.GUID)}
		for _, f := range r.Flags {
			if bit, ok := csync.SystemFlag(f); ok {
				row.Flags |= bit
			} else {
				row.UserFlags.Set(slices.Index(keywords, f), true)
			}
		}
		m.SyncCRC ^= names.Basic(&row)
		for _, a := range r.Annotations {
			m.SyncCRCAnnot ^= indexfile.AnnotCRC(r.UID, a.Entry, a.UserID, a.Value)
		}
	}
}

// apply is APPLY MAILBOX with the records that changed since a modseq.
func (m *model) apply(since uint64) string {
	m.crcs()
	var changed []csync.Record
	for _, r := range m.recs {
		if r.ModSeq > since {
			changed = append(changed, r)
		}
	}
	m.Records = csync.RecordsOf(changed)
	return "APPLY MAILBOX " + string(m.Append(nil, csync.FromClient))
}

// messages is APPLY MESSAGE with the messages above a UID that are not expunged.
func (m *model) messages(above uint32) string {
	var texts []string
	for _, r := range m.recs {
		if r.UID > above && !r.Has(csync.Expunged) {
			texts = append(texts, m.text[r.GUID])
		}
	}
	return upload(m.Partition, texts...)
}

// full is what GET FULLMAILBOX has to answer.
func (m *model) full() string {
	m.crcs()
	m.Records = csync.RecordsOf(m.recs)
	return "* MAILBOX " + string(m.Append(nil, csync.FromServer))
}

// change makes a random change.
func (m *model) change(r *rand.Rand) {
	if len(m.recs) == 0 || r.IntN(3) == 0 {
		m.append(fmt.Sprintf("Subject: %d\r\n\r\n%s\r\n", r.Uint64(), strings.Repeat("x", r.IntN(2000))))
		return
	}
	m.touch(r.IntN(len(m.recs)), func(rec *csync.Record) {
		if rec.Has(csync.Expunged) {
			return
		}
		rec.Flags = nil
		for _, f := range append([]string{`\Deleted`, `\Answered`, `\Flagged`, `\Draft`}, csync.Expunged, `\Seen`) {
			if r.IntN(4) == 0 && (f != csync.Expunged || r.IntN(3) == 0) {
				rec.Flags = append(rec.Flags, f)
			}
		}
		for _, k := range keywords {
			if r.IntN(4) == 0 {
				rec.Flags = append(rec.Flags, k)
			}
		}
		rec.Annotations = slices.DeleteFunc(rec.Annotations, func(a csync.Annotation) bool { return a.Entry == "/comment" })
		if r.IntN(2) == 0 {
			note := csync.Annotation{Entry: "/comment", UserID: []string{"", "alice", "bob"}[r.IntN(3)], ModSeq: m.HighestModSeq,
				Value: []byte([]string{"", "a b", "caf\xc3\xa9\r\n\"", "NIL", "a\x00b"}[r.IntN(5)])}
			rec.Annotations = append([]csync.Annotation{note}, rec.Annotations...)
		}
	})
}

// TestAnyChanges applies random changes of a mailbox, each more than once, and
// compares what the replica then has with what the master has, CRCs included. An
// expunged record that is changed again is the one thing a replica may know
// otherwise: it looks at none of it.
func TestAnyChanges(t *testing.T) {
	srv := testServer(t, "")
	p := signIn(t, dialer(t, srv, "tcp"))
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		m := newModel(mboxname.Name(fmt.Sprintf("user.alice.m%d", seed)), fmt.Sprintf("model%d", seed))
		for round := range 12 {
			since, last := m.HighestModSeq, m.LastUID
			for range 1 + r.IntN(10) {
				m.change(r)
			}
			if round == 0 {
				since = 0
			}
			p.want(m.messages(last), "OK success")
			p.want(m.apply(since), "OK success")
			once := p.do("GET FULLMAILBOX " + string(m.Name))
			if got := canonical(once[0]); got != canonical(m.full()) {
				t.Fatalf("seed %d round %d:\n got %s\nwant %s", seed, round, got, canonical(m.full()))
			}
			p.want(m.apply(since), "OK success")
			p.want(m.apply(0), "OK success")
			if twice := p.do("GET FULLMAILBOX " + string(m.Name)); twice[0] != once[0] {
				t.Fatalf("seed %d round %d: the same again:\n got %s\nwant %s", seed, round, twice[0], once[0])
			}
			if round%4 == 0 {
				p.want("RESTART", "OK Restarting")
			}
		}
	}
}

// canonical is a full mailbox without what a replica may know otherwise: all but
// the UID of an expunged record, the order of keywords, and since when it has an
// annotation of the same value.
func canonical(line string) string {
	m, err := csync.ParseMailbox([]byte(strings.TrimPrefix(line, "* MAILBOX ")))
	if err != nil {
		return err.Error()
	}
	m.QuotaRoot = ""
	var recs []csync.Record
	for _, r := range m.Records.List() {
		if r.Has(csync.Expunged) {
			r = csync.Record{UID: r.UID, Flags: []string{csync.Expunged}}
		}
		slices.Sort(r.Flags)
		for i := range r.Annotations {
			r.Annotations[i].ModSeq = 0
		}
		recs = append(recs, r)
	}
	m.Records = csync.RecordsOf(recs)
	return string(m.Append(nil, csync.FromServer))
}
