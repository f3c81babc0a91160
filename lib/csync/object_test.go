package csync

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"gocyrus/lib/guid"
	"gocyrus/lib/quota"
)

// normal brings what is written into normal form.
func normal(t testing.TB, text string) []byte {
	t.Helper()
	l := &lexer{src: Buffered(bufio.NewReader(strings.NewReader(text + "\r\n"))), limits: DefaultLimits, peer: FromServer}
	if err := l.itemValue(); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return l.buf
}

const goodRecord = `%(UID 7 MODSEQ 2 LAST_UPDATED 3 FLAGS (\SEEN nil NIL) INTERNALDATE 4 SIZE 5 GUID ` + zeros + `)`

func TestParseMailbox(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{ // want: the object printed by a client, empty for bad parameters
		{"keys in any order, unknown ones, doubles", `%(MBOXNAME user.a FOO (x %(y z)) UNIQUEID u MBOXNAME user.b HIGHESTMODSEQ "7")`,
			`%(UNIQUEID u MBOXNAME user.a SYNC_CRC 0 LAST_UID 0 HIGHESTMODSEQ 7 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 0 PARTITION NIL ACL "" OPTIONS "")`},
		{"keys are case-sensitive", `%(mboxname user.a MBOXNAME user.b)`,
			`%(UNIQUEID "" MBOXNAME user.b SYNC_CRC 0 LAST_UID 0 HIGHESTMODSEQ 0 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 0 PARTITION NIL ACL "" OPTIONS "")`},
		{"too large for 32 bits", `%(LAST_UID 4294967297)`,
			`%(UNIQUEID "" MBOXNAME "" SYNC_CRC 0 LAST_UID 1 HIGHESTMODSEQ 0 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 0 PARTITION NIL ACL "" OPTIONS "")`},
		{"lists", `%(USERFLAGS () ANNOTATIONS (%(ENTRY /comment VALUE NIL)) RECORD (` + goodRecord + `) SINCE_CRC 1 ACL {2}` + "\r\n\"\t)",
			`%(UNIQUEID "" MBOXNAME "" SYNC_CRC 0 LAST_UID 0 HIGHESTMODSEQ 0 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 0 PARTITION NIL ACL {2+}` + "\r\n\"\t" +
				` OPTIONS "" ANNOTATIONS (%(ENTRY /comment USERID "" MODSEQ 0 VALUE "")) USERFLAGS () SINCE_MODSEQ 0 SINCE_CRC 1 SINCE_CRC_ANNOT 0 RECORD (%(UID 7 MODSEQ 2 LAST_UPDATED 3 FLAGS (\Seen nil NIL) INTERNALDATE 4 SIZE 5 GUID ` + zeros + `)))`},
		{"sign", `%(LAST_UID +1)`, ""},
		{"no number", `%(LAST_UID "")`, ""},
		{"list as a number", `%(LAST_UID (1))`, ""},
		{"list as a text", `%(ACL (a))`, ""},
		{"text as a list", `%(RECORD x)`, ""},
		{"keyed list as a list", `%(RECORD %(a b))`, ""},
		{"not keyed", `(MBOXNAME user.a)`, ""},
		{"text", `user.a`, ""},
		{"half a record", `%(RECORD (%(UID 1 MODSEQ 2)))`, ""},
		{"bad GUID", `%(RECORD (` + strings.Replace(goodRecord, zeros, "xyz", 1) + `))`, ""},
		{"flag that is a list", `%(RECORD (` + strings.Replace(goodRecord, "nil", "(x)", 1) + `))`, ""},
		{"annotation without entry", `%(ANNOTATIONS (%(USERID x VALUE y)))`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m, err := ParseMailbox(normal(t, tc.in))
			switch {
			case tc.want == "":
				if !errors.Is(err, ErrBadParameters) {
					t.Errorf("%v", err)
				}
			case err != nil:
				t.Errorf("%v", err)
			default:
				if got := string(m.Append(nil, FromClient)); got != tc.want {
					t.Errorf("got  %s\nwant %s", got, tc.want)
				}
			}
		})
	}
}

func TestCheckApply(t *testing.T) {
	full := `UNIQUEID u MBOXNAME m HIGHESTMODSEQ 1 PARTITION p LAST_UID 1 RECENTUID 1 RECENTTIME 1 LAST_APPENDDATE 1 POP3_LAST_LOGIN 1 UIDVALIDITY 1 ACL "" OPTIONS "" RECORD ()`
	for in, ok := range map[string]bool{
		full:                 true,
		full + " MBOXTYPE f": true,
		"UNIQUEID u MBOXNAME m MBOXTYPE ei HIGHESTMODSEQ 1":      true,
		"UNIQUEID u MBOXNAME m MBOXTYPE ed HIGHESTMODSEQ 1":      true,
		"UNIQUEID u MBOXNAME m MBOXTYPE ei":                      false,
		"UNIQUEID u MBOXNAME m MBOXTYPE e HIGHESTMODSEQ 1":       false,
		strings.Replace(full, "ACL", "XACL", 1):                  false,
		strings.Replace(full, `ACL ""`, "ACL NIL", 1):            false,
		strings.Replace(full, "PARTITION p", "PARTITION NIL", 1): true,
	} {
		m, err := ParseMailbox(normal(t, "%("+in+")"))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.CheckApply(); (err == nil) != ok {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func TestRecords(t *testing.T) {
	list := []Record{
		{UID: 1, ModSeq: 5, Flags: []string{Expunged, `\Seen`, "$Label1"}, GUID: guid.Of([]byte("a")),
			Annotations: []Annotation{{Entry: "/comment", UserID: "a b", ModSeq: 3, Value: []byte("x\r\ny")}}},
		{UID: 2, Flags: []string{}, Size: 9},
		{UID: 2},
	}
	m := Mailbox{HasRecords: true, Records: RecordsOf(list)}
	got, err := ParseMailbox(m.Append(nil, FromClient))
	if err != nil || got.Records.Len() != 3 {
		t.Fatalf("%d records, %v", got.Records.Len(), err)
	}
	for _, l := range []*Records{&m.Records, &got.Records} {
		if l.Rising() {
			t.Error("2, 2 is not rising")
		}
		i := 0
		for r := range l.All() {
			if a, b := r.Append(nil, FromServer), list[i].Append(nil, FromServer); !bytes.Equal(a, b) {
				t.Errorf("record %d is %s, want %s", i, a, b)
			}
			i++
		}
		if copies := l.List(); i != 3 || len(copies) != 3 || !copies[0].Has("$Label1") || copies[1].Has("$Label1") || len(copies[2].Annotations) != 0 {
			t.Errorf("%d records, List %+v", i, copies)
		}
		for range l.All() {
			break // a walk may end early
		}
	}
	open := m.AppendOpen(nil, FromClient)
	for i := range list {
		if i > 0 {
			open = append(open, ' ')
		}
		open = list[i].Append(open, FromClient)
	}
	if whole := m.Append(nil, FromClient); !bytes.Equal(AppendClose(open), whole) {
		t.Errorf("in parts %s\nwhole %s", open, whole)
	}
	two := RecordsOf(list[:2])
	var none Records
	if !two.Rising() || !none.Rising() || none.Cursor().Next() {
		t.Error("1, 2 is rising, and so is nothing")
	}
}

func TestQuota(t *testing.T) {
	var q Quota
	var limits [quota.NumResources]int64 = q.Limits // one order for both packages
	for r, names := range [][2]string{{"STORAGE", "STORAGE"}, {"MESSAGE", "MESSAGE"}, {"ANNOTATION-STORAGE", "X-ANNOTATION-STORAGE"}, {"MAILBOX", "X-NUM-FOLDERS"}} {
		if quota.Names[r] != names[0] || quota.OldNames[r] != names[1] || quotaKeys[r][0] != names[0] || quotaKeys[r][len(quotaKeys[r])-1] != names[1] {
			t.Errorf("resource %d of %d is %v", r, len(limits), quotaKeys[r])
		}
	}
	for in, want := range map[string]string{
		`%(ROOT r LIMIT 77 STORAGE 123 MESSAGE 9 MODSEQ 99)`:       "{r [123 9 -1 -1] 99}",
		`%(ROOT r LIMIT 77 MODSEQ 99)`:                             "{r [77 -1 -1 -1] 99}",
		`%(ROOT r LIMIT 4294967295)`:                               "{r [-1 -1 -1 -1] 0}",
		`%(ROOT r LIMIT 4294967295 STORAGE 0)`:                     "{r [0 -1 -1 -1] 0}",
		`%(ROOT r X-NUM-FOLDERS 5 X-ANNOTATION-STORAGE 6)`:         "{r [-1 -1 6 5] 0}",
		`%(ROOT r MAILBOX 5 X-NUM-FOLDERS 5 ANNOTATION-STORAGE 6)`: "{r [-1 -1 6 5] 0}",
	} {
		if got, err := ParseQuota(normal(t, in)); err != nil || fmt.Sprint(*got) != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	if _, err := ParseQuota([]byte("%(LIMIT 1)")); !errors.Is(err, ErrBadParameters) {
		t.Errorf("no root: %v", err)
	}
	q = Quota{"user.a", [4]int64{Unlimited, 2, Unlimited, 3}, 7}
	if got, want := string(q.Append(nil, FromServer)), "%(ROOT user.a LIMIT 4294967295 MESSAGE 2 MAILBOX 3 X-NUM-FOLDERS 3 MODSEQ 7)"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestWords(t *testing.T) {
	for err, want := range map[error]string{
		nil: "OK success", ErrChecksum: "NO IMAP_SYNC_CHECKSUM Checksum Failure",
		fmt.Errorf("user.a: %w", ErrMoved): "NO IMAP_MAILBOX_MOVED Mailbox exists with another name or uniqueid",
		bad(ErrChanged):                    "NO IMAP_SYNC_CHANGED Changed since last sync",
		ErrBadParameters:                   "NO IMAP_PROTOCOL_BAD_PARAMETERS",
		errSyntax:                          "NO IMAP_PROTOCOL_ERROR Protocol error",
		ErrDenied:                          "NO Permission denied",
		errors.New("disk full"):            "NO Unknown error",
	} {
		got := Words(err)
		if got != want {
			t.Errorf("%v: %s", err, got)
		}
		if back := fromLine(got); err == nil && back != nil || err != nil && !errors.Is(back, ErrUnknown) && !errors.Is(err, errors.Unwrap(back)) {
			t.Errorf("%s read back is %v", got, back)
		}
	}
	for line, want := range map[string]error{
		"no imap_sync_changed x": ErrChanged, "NO what": ErrDenied, "NO": ErrDenied, "BAD x": ErrProtocol, "BYE": ErrBye, "": ErrProtocol, "Fatal error": ErrLost,
	} {
		if got := fromLine(line); !errors.Is(got, want) {
			t.Errorf("%q: %v", line, got)
		}
	}
}

// FuzzObjects: whatever is read as an object is the same object when it has been
// printed and read again.
func FuzzObjects(f *testing.F) {
	names := []string{"MAILBOX", "QUOTA", "ANNOTATION", "SEEN", "SIEVE", "UNSIEVE", "RESERVE", "RENAME", "EXPUNGE", "FETCH", "SUB", "MISSING", "LSUB", "USER"}
	for i, s := range []string{
		`%(UNIQUEID u MBOXNAME user.a MBOXTYPE f SYNC_CRC 1 SYNC_CRC_ANNOT 2 XCONVMODSEQ 3 PARTITION NIL ACL "a	b	" ANNOTATIONS (%(ENTRY e USERID u MODSEQ 1 VALUE {1}` + "\r\n\x00" + `)) SINCE_MODSEQ 1 RECORD (` + goodRecord + `))`,
		`%(ROOT user.a LIMIT 1 STORAGE 2 X-NUM-FOLDERS 3 MODSEQ 4)`, `%(MBOXNAME "" ENTRY /motd USERID "" VALUE "hi")`,
		`%(USERID u UNIQUEID i LASTREAD 1 LASTUID 2 LASTCHANGE 3 SEENUIDS 1:5,7)`, `%(FILENAME a.script LAST_UPDATE 1 GUID ` + zeros + ` ISACTIVE 1)`,
		`%(USERID a FILENAME b.script)`, `%(PARTITION default MBOXNAME (a b) GUID (` + zeros + `))`, `%(OLDMBOXNAME a NEWMBOXNAME b PARTITION NIL UIDVALIDITY 3)`,
		`%(MBOXNAME a UNIQUEID b UID (1 2 3))`, `%(MBOXNAME a PARTITION p UNIQUEID b GUID ` + zeros + ` UID 1)`, `%(USERID a MBOXNAME b)`, `(` + zeros + `)`, `(a "b c")`, `alice`,
	} {
		f.Add(uint8(i), s)
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		l := &lexer{src: Buffered(bufio.NewReader(strings.NewReader(text + "\r\n"))), limits: DefaultLimits, peer: FromServer}
		if err := l.itemValue(); err != nil {
			return
		}
		name := names[int(which)%len(names)]
		for _, form := range []Form{FromClient, FromServer} {
			once, err := reprint(Apply, name, l.buf, form, nil)
			if err != nil {
				if !errors.Is(err, ErrBadParameters) && !strings.HasPrefix(err.Error(), "0 files") {
					t.Errorf("%s %q: %v", name, l.buf, err)
				}
				return
			}
			twice, err := reprint(Apply, name, once, form, nil)
			if err != nil || !bytes.Equal(once, twice) {
				t.Errorf("%s: %q read again is %q, %v", name, once, twice, err)
			}
		}
	})
}

// large is a mailbox of n messages as its text.
func large(n int) []byte {
	m := Mailbox{UniqueID: "u", Name: "user.a", Partition: "default", HasRecords: true}
	dst := m.AppendOpen(make([]byte, 0, n*320), FromServer)
	r := Record{LastUpdated: 1795322207, Flags: []string{`\Answered`, `\Seen`, "$Label1"}, InternalDate: 1704103200, Size: 13300, GUID: guid.Of([]byte("a")),
		Annotations: []Annotation{{Entry: entrySaved, Value: []byte("1795322172")}, {Entry: entryCreated, Value: []byte("4711")}}}
	for i := range n {
		if i > 0 {
			dst = append(dst, ' ')
		}
		r.UID, r.ModSeq = uint32(i+1), uint64(i+2)
		dst = r.Append(dst, FromServer)
	}
	return AppendClose(dst)
}

// TestLarge: a mailbox of many messages costs little more than its text.
func TestLarge(t *testing.T) {
	const n = 50_000
	value := large(n)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m, err := ParseMailbox(value)
	if err != nil || m.Records.Len() != n || !m.Records.Rising() {
		t.Fatalf("%d records, %v", m.Records.Len(), err)
	}
	last := uint32(0)
	for r := range m.Records.All() {
		last = r.UID
	}
	runtime.ReadMemStats(&after)
	if last != n {
		t.Errorf("last UID %d", last)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(len(value)/10) {
		t.Errorf("%d octets of memory for %d of text", grown, len(value))
	}
}

func BenchmarkReadMailbox(b *testing.B) {
	value := large(10_000)
	line := append(append([]byte("APPLY MAILBOX "), value...), "\r\n"...)
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		cmd, err := NewReader(Buffered(bufio.NewReader(bytes.NewReader(line))), Limits{}).ReadCommand(true, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := ParseMailbox(cmd.Value); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	m, err := ParseMailbox(large(1))
	if err != nil {
		b.Fatal(err)
	}
	r := m.Records.List()[0]
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = r.Append(buf[:0], FromServer)
	}
}
