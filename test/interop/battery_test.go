package interop

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"gocyrus/lib/cyrustest"
)

const battery = "From: \"A. Lice\" <alice@example.com>\r\nTo: bob@example.com\r\nSubject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n" +
	"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <b1@example.com>\r\nIn-Reply-To: <b0@example.com>\r\nMIME-Version: 1.0\r\n" +
	"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n" +
	"gr=C3=BC=C3=9Fe\r\n--b\r\nContent-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Disposition: attachment; filename=\"a.bin\"\r\n" +
	"Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b--\r\n"

// session is a client with what a subtest needs of it.
type session struct {
	*testing.T
	c *imapclient.Client
}

// must fails the test for an error.
func (s session) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// Every command that Go's imapclient has, one after the other in one session:
// its parser, which we did not write, has to understand each answer.
func TestBattery(t *testing.T) {
	s := start(t, cyrustest.Options{}, "alice", "bob")
	c, err := imapclient.DialStartTLS(s.IMAP, &imapclient.Options{TLSConfig: s.TLS()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("alice", cyrustest.Password).Wait(); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name string
		run  func(session)
	}{
		{"CAPABILITY, ID, NAMESPACE, ENABLE", batteryHello},
		{"CREATE, LIST, SUBSCRIBE, STATUS", batteryNames},
		{"APPEND", batteryAppend},
		{"FETCH", batteryFetch},
		{"SEARCH", batterySearch},
		{"STORE", batteryStore},
		{"COPY, MOVE, EXPUNGE", batteryCopy},
		{"ACL, QUOTA, METADATA", batteryRights},
		{"SORT, THREAD", batterySort},
		{"IDLE", func(x session) { batteryIdle(x, s) }},
		{"RENAME, DELETE, UNSELECT, LOGOUT", batteryEnd},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(session{t, c}) }) {
			break // what follows builds on it
		}
	}
}

func batteryHello(s session) {
	caps, err := s.c.Capability().Wait()
	s.must(err)
	for _, want := range []imap.Cap{imap.CapIMAP4rev1, imap.CapUIDPlus, imap.CapMove, imap.CapESearch, imap.CapCondStore, imap.CapQResync, imap.CapListExtended,
		imap.CapListStatus, imap.CapSpecialUse, imap.CapBinary, imap.CapACL, imap.CapQuota, imap.CapIdle, imap.CapNamespace, imap.CapUnselect, imap.CapChildren} {
		if !caps.Has(want) {
			s.Errorf("no %s", want)
		}
	}
	id, err := s.c.ID(&imap.IDData{Name: "battery"}).Wait()
	s.must(err)
	if id == nil || id.Name != "Cyrus IMAPD" {
		s.Errorf("ID: %+v", id)
	}
	ns, err := s.c.Namespace().Wait()
	s.must(err)
	if len(ns.Personal) != 1 || ns.Personal[0].Delim != '/' || len(ns.Other) != 1 || len(ns.Shared) != 1 {
		s.Errorf("NAMESPACE: %+v", ns)
	}
	_, err = s.c.Enable(imap.CapUTF8Accept).Wait()
	if err != nil {
		s.Errorf("ENABLE of what is not there: %v", err)
	}
	s.must(s.c.Noop().Wait())
}

func batteryNames(s session) {
	for _, name := range []string{"Work", "Work/Grüße", "Work/a&b", "Lists"} {
		s.must(s.c.Create(name, nil).Wait())
	}
	s.must(s.c.Create("Drafts", &imap.CreateOptions{SpecialUse: []imap.MailboxAttr{imap.MailboxAttrDrafts}}).Wait())
	s.must(s.c.Subscribe("Work/Grüße").Wait())
	list, err := s.c.List("", "*", &imap.ListOptions{ReturnSubscribed: true, ReturnChildren: true, ReturnSpecialUse: true,
		ReturnStatus: &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, NumUnseen: true, Size: true, HighestModSeq: true}}).Collect()
	s.must(err)
	var names []string
	for _, l := range list {
		names = append(names, l.Mailbox)
		if l.Status == nil || l.Status.UIDValidity == 0 || l.Status.NumMessages == nil || *l.Status.NumMessages != 0 {
			s.Errorf("%s: status %+v", l.Mailbox, l.Status)
		}
		if l.Mailbox == "Drafts" && !slices.Contains(l.Attrs, imap.MailboxAttrDrafts) {
			s.Errorf("Drafts: %v", l.Attrs)
		}
		if subscribed := slices.Contains(l.Attrs, imap.MailboxAttrSubscribed); subscribed != (l.Mailbox == "Work/Grüße") {
			s.Errorf("%s: %v", l.Mailbox, l.Attrs)
		}
	}
	slices.Sort(names)
	if want := []string{"Drafts", "INBOX", "Lists", "Work", "Work/Grüße", "Work/a&b"}; !slices.Equal(names, want) {
		s.Errorf("LIST: %q, want %q", names, want)
	}
	s.must(s.c.Unsubscribe("Work/Grüße").Wait())
	st, err := s.c.Status("INBOX", &imap.StatusOptions{NumMessages: true, UIDNext: true, UIDValidity: true, NumUnseen: true, Size: true, HighestModSeq: true}).Wait()
	s.must(err)
	if st.UIDNext != 1 || *st.NumMessages != 0 || *st.Size != 0 {
		s.Errorf("STATUS: %+v", st)
	}
}

// batteryDate is the date of the messages: SEARCH goes by days of the server's
// zone, which is the test's.
var batteryDate = time.Date(2020, 2, 29, 12, 30, 58, 0, time.Local)

func batteryAppend(s session) {
	for i := range 5 {
		msg := []byte(battery)
		if i > 0 {
			msg = cyrustest.Message(fmt.Sprintf("number %d", i))
		}
		cmd := s.c.Append("INBOX", int64(len(msg)), &imap.AppendOptions{Time: batteryDate, Flags: []imap.Flag{imap.FlagFlagged, "$Label1"}})
		_, err := cmd.Write(msg)
		s.must(err)
		s.must(cmd.Close())
		data, err := cmd.Wait()
		s.must(err)
		if data.UID != imap.UID(i+1) || data.UIDValidity == 0 {
			s.Errorf("APPEND %d: %+v", i, data)
		}
	}
}

func batteryFetch(s session) {
	box, err := s.c.Select("INBOX", &imap.SelectOptions{CondStore: true}).Wait()
	s.must(err)
	if box.NumMessages != 5 || box.UIDNext != 6 || box.HighestModSeq == 0 || !slices.Contains(box.PermanentFlags, imap.FlagWildcard) {
		s.Errorf("SELECT: %+v", box)
	}
	text := &imap.FetchItemBodySection{Part: []int{1}, Peek: true}
	mime := &imap.FetchItemBodySection{Part: []int{2}, Specifier: imap.PartSpecifierMIME, Peek: true}
	fields := &imap.FetchItemBodySection{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"Subject", "Date"}, Peek: true}
	partial := &imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: 6, Size: 9}, Peek: true}
	binary := &imap.FetchItemBinarySection{Part: []int{2}, Peek: true}
	got, err := s.c.Fetch(imap.SeqSetNum(1), &imap.FetchOptions{UID: true, Envelope: true, Flags: true, InternalDate: true, RFC822Size: true, ModSeq: true,
		BodyStructure: &imap.FetchItemBodyStructure{Extended: true}, BodySection: []*imap.FetchItemBodySection{text, mime, fields, partial},
		BinarySection: []*imap.FetchItemBinarySection{binary}, BinarySectionSize: []*imap.FetchItemBinarySectionSize{{Part: []int{2}}}}).Collect()
	s.must(err)
	if len(got) != 1 {
		s.Fatalf("%d messages", len(got))
	}
	m := got[0]
	if m.UID != 1 || m.RFC822Size != int64(len(battery)) || m.ModSeq == 0 || !m.InternalDate.Equal(batteryDate) {
		s.Errorf("UID %d, size %d, modseq %d, date %v", m.UID, m.RFC822Size, m.ModSeq, m.InternalDate)
	}
	e := m.Envelope
	if e.Subject != "grüße" || e.From[0].Name != "A. Lice" || e.From[0].Addr() != "alice@example.com" || e.MessageID != "b1@example.com" || e.InReplyTo[0] != "b0@example.com" {
		s.Errorf("ENVELOPE: %+v", e)
	}
	multi, ok := m.BodyStructure.(*imap.BodyStructureMultiPart)
	if !ok || multi.Subtype != "MIXED" || len(multi.Children) != 2 {
		s.Fatalf("BODYSTRUCTURE: %+v", m.BodyStructure)
	}
	if part := multi.Children[1].(*imap.BodyStructureSinglePart); part.Filename() != "a.bin" || part.Encoding != "BASE64" || part.Size != 8 {
		s.Errorf("part 2: %+v", part)
	}
	for _, tc := range []struct {
		item *imap.FetchItemBodySection
		want string
	}{
		{text, "gr=C3=BC=C3=9Fe"},
		{mime, "Content-Type: application/octet-stream; name=\"a.bin\"\r\nContent-Disposition: attachment; filename=\"a.bin\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
		{fields, "Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nDate: Tue, 24 Nov 2026 10:00:00 +0100\r\n\r\n"},
		{partial, "\"A. Lice\""},
	} {
		if got := string(m.FindBodySection(tc.item)); got != tc.want {
			s.Errorf("%+v: %q, want %q", tc.item, got, tc.want)
		}
	}
	if got := m.FindBinarySection(binary); !bytes.Equal(got, []byte{0, 1, 2, 3}) {
		s.Errorf("BINARY: %v", got)
	}
	if len(m.BinarySectionSize) != 1 || m.BinarySectionSize[0].Size != 4 {
		s.Errorf("BINARY.SIZE: %+v", m.BinarySectionSize)
	}
	batteryStream(s)
	changed, err := s.c.Fetch(imap.SeqSet{imap.SeqRange{Start: 1}}, &imap.FetchOptions{Flags: true, ChangedSince: box.HighestModSeq - 1}).Collect()
	s.must(err)
	if len(changed) != 1 || changed[0].SeqNum != 5 {
		s.Errorf("CHANGEDSINCE: %d messages", len(changed))
	}
}

// batteryStream reads all of a message as it comes.
func batteryStream(s session) {
	cmd := s.c.Fetch(imap.UIDSetNum(1), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	defer cmd.Close()
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		for item := msg.Next(); item != nil; item = msg.Next() {
			body, ok := item.(imapclient.FetchItemDataBodySection)
			if !ok {
				continue
			}
			text, err := io.ReadAll(body.Literal)
			s.must(err)
			if string(text) != battery {
				s.Errorf("BODY[]: %q", text)
			}
		}
	}
	s.must(cmd.Close())
}

func batterySearch(s session) {
	day := time.Date(2020, 2, 29, 0, 0, 0, 0, time.UTC)
	header := func(key, value string) *imap.SearchCriteria {
		return &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: key, Value: value}}}
	}
	for _, tc := range []struct {
		name string
		in   *imap.SearchCriteria
		want []imap.UID
	}{
		{"all", &imap.SearchCriteria{}, []imap.UID{1, 2, 3, 4, 5}},
		{"subject", header("Subject", "number 3"), []imap.UID{4}},
		{"encoded subject", header("Subject", "GRÜSSE"), nil},
		{"subject in another case", header("Subject", "GRÜ"), []imap.UID{1}},
		{"body", &imap.SearchCriteria{Body: []string{"Text of number"}}, []imap.UID{2, 3, 4, 5}},
		{"decoded body", &imap.SearchCriteria{Body: []string{"grü"}}, []imap.UID{1}},
		{"on", &imap.SearchCriteria{Since: day, Before: day.AddDate(0, 0, 1)}, []imap.UID{1, 2, 3, 4, 5}},
		{"sent before", &imap.SearchCriteria{SentBefore: day}, nil},
		{"keyword", &imap.SearchCriteria{Flag: []imap.Flag{"$Label1"}, NotFlag: []imap.Flag{imap.FlagSeen}}, []imap.UID{1, 2, 3, 4, 5}},
		{"or", &imap.SearchCriteria{Or: [][2]imap.SearchCriteria{{*header("Subject", "number 1"), *header("Subject", "number 2")}}}, []imap.UID{2, 3}},
		{"not", &imap.SearchCriteria{Not: []imap.SearchCriteria{*header("Subject", "number")}}, []imap.UID{1}},
		{"larger", &imap.SearchCriteria{Larger: 400}, []imap.UID{1}},
		{"a range", &imap.SearchCriteria{UID: []imap.UIDSet{{imap.UIDRange{Start: 4}}}}, []imap.UID{4, 5}},
	} {
		got, err := s.c.UIDSearch(tc.in, nil).Wait()
		s.must(err)
		if uids := got.AllUIDs(); !slices.Equal(uids, tc.want) {
			s.Errorf("%s: %v, want %v", tc.name, uids, tc.want)
		}
	}
	got, err := s.c.UIDSearch(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnMin: true, ReturnMax: true, ReturnCount: true, ReturnAll: true}).Wait()
	s.must(err)
	if got.Min != 1 || got.Max != 5 || got.Count != 5 || got.All.String() != "1:5" {
		s.Errorf("ESEARCH: %+v", got)
	}
}

func batteryStore(s session) {
	got, err := s.c.Store(imap.UIDSetNum(2, 3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen, "own"}}, nil).Collect()
	s.must(err)
	if len(got) != 2 || !slices.Contains(got[0].Flags, imap.FlagSeen) || !slices.Contains(got[0].Flags, "own") {
		s.Errorf("STORE: %+v", got)
	}
	modseq := got[0].ModSeq
	s.must(s.c.Store(imap.UIDSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsDel, Flags: []imap.Flag{"own"}, Silent: true}, nil).Close())
	// It has changed since: the command is refused for it.
	_, err = s.c.Store(imap.UIDSetNum(2), &imap.StoreFlags{Op: imap.StoreFlagsSet, Flags: nil, Silent: true}, &imap.StoreOptions{UnchangedSince: modseq}).Collect()
	s.must(err)
	after, err := s.c.Fetch(imap.UIDSetNum(2), &imap.FetchOptions{Flags: true}).Collect()
	s.must(err)
	if !slices.Contains(after[0].Flags, imap.FlagSeen) {
		s.Errorf("UNCHANGEDSINCE changed what had changed: %v", after[0].Flags)
	}
}

func batteryCopy(s session) {
	copied, err := s.c.Copy(imap.UIDSetNum(1, 2), "Work").Wait()
	s.must(err)
	if copied.SourceUIDs.String() != "1:2" || copied.DestUIDs.String() != "1:2" {
		s.Errorf("COPY: %+v", copied)
	}
	moved, err := s.c.Move(imap.UIDSetNum(3), "Work").Wait()
	s.must(err)
	if moved.SourceUIDs.String() != "3" || moved.DestUIDs.String() != "3" {
		s.Errorf("MOVE: %+v", moved)
	}
	s.must(s.c.Store(imap.UIDSetNum(4, 5), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}, Silent: true}, nil).Close())
	gone, err := s.c.UIDExpunge(imap.UIDSetNum(4)).Collect()
	s.must(err)
	if !slices.Equal(gone, []uint32{3}) {
		s.Errorf("UID EXPUNGE: %v", gone)
	}
	gone, err = s.c.Expunge().Collect()
	s.must(err)
	if !slices.Equal(gone, []uint32{3}) {
		s.Errorf("EXPUNGE: %v", gone)
	}
	st, err := s.c.Status("Work", &imap.StatusOptions{NumMessages: true, UIDNext: true}).Wait()
	s.must(err)
	if *st.NumMessages != 3 || st.UIDNext != 4 {
		s.Errorf("STATUS Work: %+v", st)
	}
}

func batteryRights(s session) {
	rights, err := s.c.MyRights("INBOX").Wait()
	s.must(err)
	if rights.Rights.String() == "" {
		s.Errorf("MYRIGHTS: %+v", rights)
	}
	s.must(s.c.SetACL("Work", "bob", imap.RightModificationReplace, imap.RightSet("lrs")).Wait())
	acl, err := s.c.GetACL("Work").Wait()
	s.must(err)
	if acl.Rights["bob"].String() != "lrs" {
		s.Errorf("GETACL: %+v", acl)
	}
	roots, err := s.c.GetQuotaRoot("INBOX").Wait()
	s.must(err)
	if len(roots) != 0 {
		s.Errorf("GETQUOTAROOT: %+v", roots)
	}
	comment := []byte("text")
	s.must(s.c.SetMetadata("Work", map[string]*[]byte{"/private/comment": &comment}).Wait())
	md, err := s.c.GetMetadata("Work", []string{"/private/comment"}, nil).Wait()
	s.must(err)
	if got := md.Entries["/private/comment"]; got == nil || string(*got) != "text" {
		s.Errorf("GETMETADATA: %+v", md)
	}
}

func batterySort(s session) {
	if _, err := s.c.Select("Work", nil).Wait(); err != nil {
		s.Fatal(err)
	}
	if s.c.Caps().Has(imap.CapSort) {
		got, err := s.c.UIDSort(&imapclient.SortOptions{SearchCriteria: &imap.SearchCriteria{}, SortCriteria: []imapclient.SortCriterion{{Key: imapclient.SortKeySubject, Reverse: true}}}).Wait()
		s.must(err)
		if !slices.Equal(got, []uint32{3, 2, 1}) {
			s.Errorf("SORT: %v", got)
		}
	}
	if s.c.Caps().Has("THREAD=REFERENCES") {
		got, err := s.c.UIDThread(&imapclient.ThreadOptions{Algorithm: imap.ThreadReferences, SearchCriteria: &imap.SearchCriteria{}}).Wait()
		s.must(err)
		if len(got) == 0 {
			s.Errorf("THREAD: %+v", got)
		}
	}
}

// batteryIdle hears of a delivery.
func batteryIdle(s session, srv *cyrustest.Server) {
	seen := make(chan uint32, 1)
	c, err := imapclient.DialInsecure(srv.IMAP, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				seen <- *d.NumMessages
			}
		},
	}})
	s.must(err)
	defer c.Close()
	s.must(c.Login("bob", cyrustest.Password).Wait())
	_, err = c.Select("INBOX", nil).Wait()
	s.must(err)
	idle, err := c.Idle()
	s.must(err)
	srv.Deliver(cyrustest.Message("while idling"), "bob")
	select {
	case n := <-seen:
		if n != 1 {
			s.Errorf("%d messages", n)
		}
	case <-time.After(cyrustest.Patience):
		s.Error("no word of the delivery")
	}
	s.must(idle.Close())
	s.must(idle.Wait())
}

func batteryEnd(s session) {
	s.must(s.c.Unselect().Wait())
	s.must(s.c.Rename("Work", "Play", nil).Wait())
	list, err := s.c.List("", "Play/*", nil).Collect()
	s.must(err)
	if len(list) != 2 {
		s.Errorf("below Play: %+v", list)
	}
	s.must(s.c.Delete("Play/a&b").Wait())
	if err := s.c.Delete("Nowhere").Wait(); err == nil {
		s.Error("DELETE of nothing is OK")
	}
	s.must(s.c.Logout().Wait())
}
