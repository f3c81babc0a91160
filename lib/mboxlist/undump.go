package mboxlist

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"gocyrus/lib/mboxname"
)

// undumpBatch is how many records are stored in one step. An undump that ends
// early is repeated; what it stored is stored again.
const undumpBatch = 2000

// maxName bounds an internal name, in octets (MAX_MAILBOX_NAME).
const maxName = 490

// Undump stores the records of a dump. complain is told, in Cyrus's words, of
// each that it cannot store. Records of the list that the dump does not have
// stay. Unlike Cyrus, tombstones and remote mailboxes are stored too.
func (l *List) Undump(r io.Reader, complain func(text string)) error {
	dec := json.NewDecoder(bufio.NewReader(r))
	if err := expect(dec, json.Delim('{')); err != nil {
		return err
	}
	return l.storeAll(func() (*Entry, error) {
		for dec.More() {
			name, err := stringToken(dec)
			if err != nil {
				return nil, err
			}
			var j jsonEntry
			if err := dec.Decode(&j); err != nil {
				return nil, err
			}
			if e := j.entry(name, complain); e != nil {
				return e, nil
			}
		}
		return nil, nil
	})
}

// storeAll stores what next returns until it returns nil.
func (l *List) storeAll(next func() (*Entry, error)) error {
	for {
		var batch []*Entry
		for len(batch) < undumpBatch {
			e, err := next()
			if err != nil {
				return err
			}
			if e == nil {
				break
			}
			batch = append(batch, e)
		}
		if len(batch) == 0 {
			return nil
		}
		err := l.Update(func(t *Tx) error {
			for _, e := range batch {
				if err := t.Put(e); err != nil {
					return fmt.Errorf("%s: %w", e.Name, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

func expect(dec *json.Decoder, want json.Delim) error {
	tok, err := dec.Token()
	if err == nil && tok != want {
		err = fmt.Errorf("found %v, not %v", tok, want)
	}
	return err
}

func stringToken(dec *json.Decoder) (string, error) {
	tok, err := dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("found %v, not a string", tok)
	}
	return s, nil
}

// jsonEntry is a record as it is dumped. Its mtime does not matter: that of the
// new record is now.
type jsonEntry struct {
	UIDValidity   *string      `json:"uidvalidity"`
	CreatedModSeq *string      `json:"createdmodseq"`
	FolderModSeq  *string      `json:"foldermodseq"`
	Type          *string      `json:"mbtype"`
	Partition     string       `json:"partition"`
	Server        string       `json:"server"`
	ACL           jsonACL      `json:"acl"`
	UniqueID      string       `json:"uniqueid"`
	History       []jsonFormer `json:"name_history"`
}

type jsonFormer struct {
	Name          string `json:"name"`
	MTime         string `json:"mtime"`
	UIDValidity   string `json:"uidvalidity"`
	CreatedModSeq string `json:"createdmodseq"`
	FolderModSeq  string `json:"foldermodseq"`
	Type          string `json:"mbtype"`
	Partition     string `json:"partition"`
}

// jsonACL is an object whose order counts.
type jsonACL string

func (a *jsonACL) UnmarshalJSON(b []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(b)))
	if err := expect(dec, json.Delim('{')); err != nil {
		return err
	}
	var out strings.Builder
	for dec.More() {
		id, err := stringToken(dec)
		if err != nil {
			return err
		}
		rights, err := stringToken(dec)
		if err != nil {
			return err
		}
		out.WriteString(id + "\t" + rights + "\t")
	}
	*a = jsonACL(out.String())
	return nil
}

// entry is the record, or nil for one that cannot be stored.
func (j *jsonEntry) entry(name string, complain func(string)) *Entry {
	if len(name) >= maxName {
		complain("mailbox name too long: " + name)
		return nil
	}
	get := func(what string, s *string) string {
		if s == nil {
			complain("missing " + what + " for " + name)
			return ""
		}
		return *s
	}
	e := &Entry{
		Name: mboxname.Name(name), Partition: j.Partition, Server: j.Server,
		UIDValidity:   uint32(number(get("uidvalidity", j.UIDValidity))),
		CreatedModSeq: number(get("createdmodseq", j.CreatedModSeq)),
		FolderModSeq:  number(get("foldermodseq", j.FolderModSeq)),
		Type:          get("mbtype", j.Type),
		ACL:           string(j.ACL), UniqueID: j.UniqueID,
	}
	switch {
	case e.Partition == "" && e.Server == "" && !e.Deleted() && !e.Is(FlagReserved) && !e.Is(FlagIntermediate):
		complain("missing partition for " + name)
		return nil
	case e.UniqueID == "" && e.Server == "":
		complain("missing uniqueid for " + name)
		return nil
	}
	for _, h := range j.History {
		e.History = append(e.History, Former{
			Name: mboxname.Name(h.Name), MTime: int64(number(h.MTime)), UIDValidity: uint32(number(h.UIDValidity)),
			CreatedModSeq: number(h.CreatedModSeq), FolderModSeq: number(h.FolderModSeq), Type: h.Type, Partition: h.Partition,
		})
	}
	return e
}

// number reads leading digits, as strtoul does.
func number(s string) uint64 {
	end := 0
	for end < len(s) && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseUint(s[:end], 10, 64)
	return n
}

// UndumpLegacy stores the records of a dump of Cyrus up to 3.4:
//
//	name TAB type [server!]partition acl [>id mtime uidvalidity foldermodseq createdmodseq [specialuse]]
//
// Such mailboxes have legacy directories. One whose line has no id gets it when
// reconstruct finds it in cyrus.header.
func (l *List) UndumpLegacy(r io.Reader, complain func(text string)) error {
	in := bufio.NewScanner(r)
	in.Buffer(nil, 1<<20)
	line := 0
	err := l.storeAll(func() (*Entry, error) {
		for in.Scan() {
			line++
			e, wrong := parseLegacy(in.Text())
			if wrong == "" {
				return e, nil
			}
			complain(fmt.Sprintf("line %d: %s", line, wrong))
		}
		return nil, in.Err()
	})
	return err
}

// parseLegacy returns what is wrong with a line, or the record.
func parseLegacy(line string) (e *Entry, wrong string) {
	name, rest, ok := strings.Cut(line, "\t")
	if !ok || name == "" {
		return nil, "no partition found"
	}
	typ, rest, _ := strings.Cut(strings.TrimLeft(rest, " "), " ")
	part, rest, _ := strings.Cut(rest, " ")
	if part == "" {
		return nil, "no partition found"
	}
	if len(name) >= maxName {
		return nil, "mailbox name too long"
	}
	e = &Entry{Name: mboxname.Name(name), Type: legacyType(number(typ)), Partition: part}
	if server, p, ok := strings.Cut(part, "!"); ok {
		e.Server, e.Partition = server, p
	}
	acl, more, found := strings.Cut(rest, ">")
	e.ACL = strings.TrimRight(strings.TrimLeft(acl, " "), " ")
	if !found {
		return e, ""
	}
	f := strings.Fields(more)
	for len(f) < 5 {
		f = append(f, "")
	}
	e.UniqueID = f[0]
	e.UIDValidity, e.FolderModSeq, e.CreatedModSeq = uint32(number(f[2])), number(f[3]), number(f[4])
	return e, ""
}

// legacyTypes are the bits of the type before 3.6 and their letters, those of
// types before those of flags.
var legacyTypes = []struct {
	bit    uint64
	letter byte
}{
	{1 << 2, 'n'}, {1 << 5, 'c'}, {1 << 6, 'b'}, {1 << 7, 'a'}, {1 << 9, 's'}, {1 << 10, 'p'},
}

var legacyFlags = []struct {
	bit  uint64
	flag byte
}{
	{1 << 0, FlagRemote}, {1 << 1, FlagReserved}, {1 << 3, FlagMoving}, {1 << 4, FlagDeleted}, {1 << 8, FlagIntermediate},
}

func legacyType(bits uint64) string {
	typ := "e"
	for _, t := range legacyTypes {
		if bits&t.bit != 0 {
			typ = string(t.letter)
		}
	}
	for _, f := range legacyFlags {
		if bits&f.bit != 0 {
			typ = With(typ, f.flag)
		}
	}
	return With(typ, FlagLegacy)
}
