package repair

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gocyrus/lib/cachefile"
	"gocyrus/lib/indexfile"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/mboxlist"
	"gocyrus/lib/message"
	"gocyrus/lib/site"
)

// Which says which messages Examine prints: all, or one by its UID or sequence
// number.
type Which struct {
	UID uint32
	Seq int
}

// Examine prints what cyrus.header, cyrus.index and cyrus.cache say of a mailbox,
// as Cyrus's mbexamine does, but with each message's own number.
func Examine(ctx context.Context, s *site.Site, e *mboxlist.Entry, which Which, out io.Writer) error {
	m, err := s.Mailboxes.Open(ctx, e)
	if err != nil {
		return err
	}
	defer m.Close()
	w := bufio.NewWriter(out)
	err = m.View(ctx, func(v *mailbox.View) error {
		examineHeader(w, v)
		return examineMessages(w, v, which, message.OptionsFrom(s.Config))
	})
	if ferr := w.Flush(); err == nil {
		err = ferr
	}
	return err
}

// ctime is seconds as ctime(3) prints them.
func ctime(seconds uint32) string { return time.Unix(int64(seconds), 0).Format(time.ANSIC) }

func examineHeader(w io.Writer, v *mailbox.View) {
	h := v.Header()
	fmt.Fprintf(w, " Mailbox Header Info:\n  Path to mailbox: %s\n  Mailbox ACL: %s\n  Unique ID: %s\n  User Flags: ",
		v.Mailbox().Path("data"), v.ACL(), v.Mailbox().UniqueID())
	flags := v.UserFlags()
	if len(flags) == 0 || flags[0] == "" {
		fmt.Fprint(w, "[none]")
	}
	for _, f := range flags {
		if f == "" {
			break
		}
		fmt.Fprintf(w, "%s ", f)
	}
	fmt.Fprintf(w, "\n\n Index Header Info:\n  Generation Number: %d\n  Minor Version: %d\n", h.Generation, h.Version)
	fmt.Fprintf(w, "  Header Size: %d bytes  Record Size: %d bytes\n", h.StartOffset, h.RecordSize)
	fmt.Fprintf(w, "  Number of Messages: %d  Mailbox Size: %d bytes  Annotations Size: %d bytes\n", h.Exists, h.QuotaUsed, h.AnnotUsed)
	if h.Version >= 18 {
		fmt.Fprintf(w, "    Deleted Size: %d bytes  Expunged Size: %d bytes\n", h.QuotaDeletedUsed, h.QuotaExpungedUsed)
	}
	fmt.Fprintf(w, "  Last Append Date: (%d) %s\n", h.LastAppendDate, ctime(h.LastAppendDate))
	fmt.Fprintf(w, "  UIDValidity: %d  Last UID: %d\n", h.UIDValidity, h.LastUID)
	fmt.Fprintf(w, "  Deleted: %d  Answered: %d  Flagged: %d\n", h.Deleted, h.Answered, h.Flagged)
	fmt.Fprintf(w, "  Mailbox Options:%s\n", optionWords(h.Options))
	fmt.Fprintf(w, "  Last POP3 Login: (%d) %s\n", h.POP3LastLogin, ctime(h.POP3LastLogin))
	if h.Version >= 8 {
		fmt.Fprintf(w, "  Highest Mod Sequence: %d\n", h.HighestModSeq)
	}
	fmt.Fprint(w, "\n Message Info:\n")
}

func optionWords(o indexfile.Options) string {
	if o == 0 {
		return " NONE"
	}
	var b strings.Builder
	for _, x := range []struct {
		bit  indexfile.Options
		word string
	}{
		{indexfile.OptPOP3NewUIDL, "POP3_NEW_UIDL"}, {indexfile.OptSharedSeen, "IMAP_SHAREDSEEN"},
		{indexfile.OptDupDeliver, "IMAP_DUPDELIVER"}, {indexfile.OptAlarms, "IMAP_HAS_ALARMS"},
	} {
		if o&x.bit != 0 {
			b.WriteString(" " + x.word)
		}
	}
	return b.String()
}

func examineMessages(w io.Writer, v *mailbox.View, which Which, parse message.Options) error {
	index, found := v.Index(), false
	for seq := 1; seq <= index.Len(); seq++ {
		if which.UID != 0 && index.UID(seq) != which.UID || which.Seq != 0 && seq != which.Seq {
			continue
		}
		found = true
		if err := examineMessage(w, v, seq, v.Raw(index.Recno(seq)), parse); err != nil {
			return err
		}
	}
	if !found && which != (Which{}) {
		fmt.Fprint(w, "Desired message not found\n")
	}
	return nil
}

func examineMessage(w io.Writer, v *mailbox.View, seq int, r indexfile.Raw, parse message.Options) error {
	fmt.Fprintf(w, "%06d> UID:%08d   INT_DATE:%d SENTDATE:%d SAVEDATE:%d SIZE:%-6d\n",
		seq, r.UID(), r.InternalDate(), r.SentDate(), r.SaveDate(), r.Size())
	fmt.Fprintf(w, "      > HDRSIZE:%-6d LASTUPD :%d SYSFLAGS:%08X", r.HeaderSize(), r.LastUpdated(), uint32(r.Flags()&0xffff))
	fmt.Fprintf(w, "      > CACHEVER:%d GUID:%x MODSEQ:%d", r.CacheVersion(), r.GUID(), r.ModSeq())
	if r.Version() >= 13 {
		fmt.Fprintf(w, "  THRID: %x", r.CID())
	}
	fmt.Fprintf(w, "\n      > INTERNALFLAGS:%s      > SYSTEMFLAGS:%s\n      > USERFLAGS:",
		flagWords(r.Flags(), internalWords), flagWords(r.Flags(), systemWords))
	u := r.UserFlags()
	for i := len(u) - 1; i >= 0; i-- {
		fmt.Fprintf(w, " %08X", u[i])
	}
	fmt.Fprint(w, "\n")
	rec, err := cacheRecord(v, r, parse)
	if err != nil {
		return err
	}
	return examineCache(w, rec)
}

type flagWord struct {
	bit  indexfile.Flags
	word string
}

var internalWords = []flagWord{
	{indexfile.Expunged, "FLAG_INTERNAL_EXPUNGED"}, {indexfile.Unlinked, "FLAG_INTERNAL_UNLINKED"},
	{indexfile.Archived, "FLAG_INTERNAL_ARCHIVED"}, {indexfile.NeedsCleanup, "FLAG_INTERNAL_NEEDS_CLEANUP"},
	{indexfile.Snoozed, "FLAG_INTERNAL_SNOOZED"},
}

var systemWords = []flagWord{
	{indexfile.Seen, "FLAG_SEEN"}, {indexfile.Draft, "FLAG_DRAFT"}, {indexfile.Deleted, "FLAG_DELETED"},
	{indexfile.Flagged, "FLAG_FLAGGED"}, {indexfile.Answered, "FLAG_ANSWERED"},
}

func flagWords(f indexfile.Flags, words []flagWord) string {
	var b strings.Builder
	for _, w := range words {
		if f&w.bit != 0 {
			b.WriteString(" " + w.word)
		}
	}
	return b.String()
}

// cacheRecord is the cache record of a message, made from its file when it has
// none; nil when it has no file either.
func cacheRecord(v *mailbox.View, r indexfile.Raw, parse message.Options) ([]byte, error) {
	if rec, err := v.Cache(r); err == nil {
		return rec, nil
	}
	f, err := v.Mailbox().OpenMessage(v, r)
	if err != nil {
		return nil, nil //nolint:nilerr // shown without
	}
	defer f.Close()
	m, err := message.Parse(f.Bytes(), parse)
	if err != nil {
		return nil, err
	}
	return m.Cache, nil
}

func examineCache(w io.Writer, rec []byte) error {
	if rec == nil {
		return nil
	}
	items, err := cachefile.All(rec)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		word string
		item cachefile.Item
	}{
		{"Envel", cachefile.Envelope}, {"BdyStr", cachefile.BodyStructure}, {"Body", cachefile.Body},
		{"CacHdr", cachefile.Headers}, {"From", cachefile.From}, {"To", cachefile.To},
		{"Cc", cachefile.Cc}, {"Bcc", cachefile.Bcc}, {"Subjct", cachefile.Subject},
	} {
		fmt.Fprintf(w, " %s>{%d}%s\n", x.word, len(items[x.item]), items[x.item])
	}
	return nil
}
