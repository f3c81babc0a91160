package repair

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/message"
	"gocyrus/lib/site"
	"gocyrus/lib/times"
)

// ExamineQuota says whether the sizes of the message files add up to what the
// index header says, as mbexamine -q does.
func ExamineQuota(ctx context.Context, s *site.Site, e *mboxlist.Entry, out io.Writer) error {
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	return m.View(ctx, func(v *mailbox.View) error {
		total, index := uint64(0), v.Index()
		for seq := 1; seq <= index.Len(); seq++ {
			r := v.Raw(index.Recno(seq))
			size, ok := fileSize(m, r)
			if !ok {
				continue
			}
			if size != int64(r.Size()) {
				_, err := fmt.Fprintf(out, "  Message %d has INCORRECT size in index record\n", r.UID())
				return err
			}
			total += uint64(size)
		}
		word := "CORRECT"
		if total != v.Header().QuotaUsed {
			word = "INCORRECT"
		}
		_, err := fmt.Fprintf(out, "  Mailbox has %s total quota usage\n", word)
		return err
	})
}

func fileSize(m *mailbox.Mailbox, r indexfile.Raw) (int64, bool) {
	f, err := m.OpenFile(r.UID(), r.Flags()&indexfile.Archived != 0)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	return int64(len(f.Bytes())), true
}

// side is what one of the two, record and file, says of a message.
type side struct {
	ok      bool // it is there
	bad     bool // a file that cannot be read as a message
	guid    string
	size    uint32
	date    uint32
	from    []byte
	subject []byte
}

// ExamineFiles prints the messages of which index record and message file are
// not the same, or of which there is one only, as mbexamine -c does.
func ExamineFiles(ctx context.Context, s *site.Site, e *mboxlist.Entry, out io.Writer) error {
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	uids, err := fileUIDs(m.Path("data"))
	if err != nil {
		return err
	}
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "\n Mailbox Header Info:\n  Path to mailbox: %s\n", m.Path("data"))
	fmt.Fprintf(w, "\n%-56s\t%s\n", " Index Record Info:", "Message File Info:")
	parse := message.OptionsFrom(s.Config)
	err = m.View(ctx, func(v *mailbox.View) error {
		for recno := 1; recno <= v.NumRecords(); recno++ {
			r := v.Raw(recno)
			if r.UID() == 0 {
				continue
			}
			for len(uids) > 0 && uids[0] < r.UID() {
				printPair(w, uids[0], side{}, fileSide(m, uids[0], parse))
				uids = uids[1:]
			}
			var f side
			if len(uids) > 0 && uids[0] == r.UID() {
				f = fileSide(m, uids[0], parse)
				uids = uids[1:]
			}
			if rec := recordSide(v, r, parse); f.guid != rec.guid {
				printPair(w, r.UID(), rec, f)
			}
		}
		for _, uid := range uids {
			printPair(w, uid, side{}, fileSide(m, uid, parse))
		}
		return nil
	})
	if ferr := w.Flush(); err == nil {
		err = ferr
	}
	return err
}

// fileUIDs are the UIDs of the message files of a directory, ascending.
func fileUIDs(dir string) ([]uint32, error) {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // all of it is elsewhere: metadata, archive
	}
	if err != nil {
		return nil, err
	}
	var uids []uint32
	for _, f := range list {
		if uid, ok := messageFile(f.Name()); ok {
			uids = append(uids, uid)
		}
	}
	slices.Sort(uids)
	return uids, nil
}

func recordSide(v *mailbox.View, r indexfile.Raw, parse message.Options) side {
	s := side{ok: true, guid: fmt.Sprintf("%x", r.GUID()), size: r.Size(), date: r.SentDate()}
	rec, err := cacheRecord(v, r, parse)
	if err == nil && rec != nil {
		s.cached(rec)
	}
	return s
}

func fileSide(m *mailbox.Mailbox, uid uint32, parse message.Options) side {
	f, err := m.OpenFile(uid, false)
	if err != nil {
		return side{ok: true, bad: true}
	}
	defer f.Close()
	p, err := message.Parse(f.Bytes(), parse)
	if err != nil {
		return side{ok: true, bad: true}
	}
	s := side{ok: true, guid: fmt.Sprintf("%x", p.GUID), size: p.Size, date: p.SentDate}
	s.cached(p.Cache)
	return s
}

func (s *side) cached(rec []byte) {
	if items, err := cachefile.All(rec); err == nil {
		s.from = append([]byte(nil), items[cachefile.From]...)
		s.subject = append([]byte(nil), items[cachefile.Subject]...)
	}
}

func printPair(w io.Writer, uid uint32, rec, file side) {
	both := file.ok && !file.bad
	fmt.Fprintf(w, "  UID: %08d\n   GUID: %-50s", uid, rec.guid)
	switch {
	case file.bad:
		fmt.Fprintf(w, "\t%-50s", "Failed to parse file")
	case file.ok:
		fmt.Fprintf(w, "\t%-50s", file.guid)
	}
	fmt.Fprint(w, "\n   Size: ")
	if rec.ok {
		fmt.Fprintf(w, "%-50d", rec.size)
	} else {
		fmt.Fprintf(w, "%-50s", "")
	}
	if both {
		fmt.Fprintf(w, "\t%-50d", file.size)
	}
	for _, line := range []struct {
		word      string
		rec, file string
	}{
		{"Date", sentDate(rec), sentDate(file)},
		{"From", cut(rec.from), cut(file.from)},
		{"Subj", cut(rec.subject), cut(file.subject)},
	} {
		fmt.Fprintf(w, "\n   %s: %-50s", line.word, line.rec)
		if both {
			fmt.Fprintf(w, "\t%-50s", line.file)
		}
	}
	fmt.Fprint(w, "\n\n")
}

func sentDate(s side) string {
	if !s.ok || s.bad {
		return ""
	}
	return times.Format(time.Unix(int64(s.date), 0))
}

func cut(b []byte) string { return string(b[:min(len(b), 50)]) }
