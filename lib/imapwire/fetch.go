package imapwire

import (
	"math"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// FetchItem is a set of FETCH attributes that take no argument.
type FetchItem uint64

const (
	FetchFlags FetchItem = 1 << iota
	FetchUID
	FetchModSeq // RFC 7162
	FetchInternalDate
	FetchSize     // RFC822.SIZE
	FetchPreview  // RFC 8970
	FetchEmailID  // RFC 8474
	FetchThreadID // RFC 8474
	FetchSaveDate // RFC 8514
	FetchEnvelope
	FetchBodyStructure
	FetchBody // without extension data
	FetchRFC822
	FetchRFC822Header
	FetchRFC822Text
	FetchGUID          // DIGEST.SHA1 (Cyrus)
	FetchSHA1          // RFC822.SHA1 (Cyrus)
	FetchFileSize      // RFC822.FILESIZE (Cyrus)
	FetchCreatedModSeq // Cyrus
	FetchLastUpdated   // Cyrus
	FetchFolder        // Cyrus
	FetchUIDValidity   // Cyrus
	FetchCID           // Cyrus, conversations
	FetchBaseCID       // Cyrus, conversations
	FetchMailboxes     // Cyrus, conversations
	FetchMailboxIDs    // Cyrus, conversations
	FetchAnnotation    // RFC 5257

	fetchFast = FetchFlags | FetchInternalDate | FetchSize
	fetchAll  = fetchFast | FetchEnvelope
	fetchFull = fetchAll | FetchBody
)

// fetchItems are the attributes by their names; those of fetchConversations are
// known only with that option.
var fetchItems = map[string]FetchItem{
	"FLAGS": FetchFlags, "UID": FetchUID, "MODSEQ": FetchModSeq,
	"INTERNALDATE": FetchInternalDate, "RFC822.SIZE": FetchSize,
	"EMAILID": FetchEmailID, "THREADID": FetchThreadID, "SAVEDATE": FetchSaveDate,
	"ENVELOPE": FetchEnvelope, "BODYSTRUCTURE": FetchBodyStructure, "BODY": FetchBody,
	"RFC822": FetchRFC822, "RFC822.PEEK": FetchRFC822, "RFC822.HEADER": FetchRFC822Header,
	"RFC822.TEXT": FetchRFC822Text, "RFC822.TEXT.PEEK": FetchRFC822Text,
	"DIGEST.SHA1": FetchGUID, "RFC822.SHA1": FetchSHA1, "RFC822.FILESIZE": FetchFileSize,
	"CREATEDMODSEQ": FetchCreatedModSeq, "LASTUPDATED": FetchLastUpdated,
	"FOLDER": FetchFolder, "UIDVALIDITY": FetchUIDValidity,
}

var fetchConversations = map[string]FetchItem{
	"CID": FetchCID, "BASECID": FetchBaseCID,
	"MAILBOXES": FetchMailboxes, "MAILBOXIDS": FetchMailboxIDs,
}

// fetchMacros stand alone, outside of parentheses.
var fetchMacros = map[string]FetchItem{"ALL": fetchAll, "FAST": fetchFast, "FULL": fetchFull}

// Fetch is what a FETCH asks for.
type Fetch struct {
	Items    FetchItem
	Sections []*imap.FetchItemBodySection       // BODY[...], in the order asked
	Binary   []*imap.FetchItemBinarySection     // BINARY[...] (RFC 3516)
	Sizes    []*imap.FetchItemBinarySectionSize // BINARY.SIZE[...]
	// Lines and LinesNot are the fields of RFC822.HEADER.LINES and its NOT form.
	Lines, LinesNot []string
	Annotation      *AnnotationFetch // RFC 5257
	// SetSeen is whether the attributes mark messages as read.
	SetSeen bool
	// ChangedSince is zero without that modifier; Vanished goes with it.
	ChangedSince uint64
	Vanished     bool
}

// AnnotationFetch names entries and attributes of message annotations.
type AnnotationFetch struct{ Entries, Attribs []string }

// FetchRules say what a session's FETCH understands.
type FetchRules struct {
	Vanished      bool // UID FETCH after ENABLE QRESYNC
	Conversations bool
	Preview       bool
}

// maxSections bounds the sections of one FETCH.
const maxSections = 1000

// Fetch reads the attributes and modifiers of a FETCH, to the end of the line.
func (p *Parser) Fetch(rules FetchRules) (*Fetch, error) {
	f := new(Fetch)
	if err := p.fetchAttributes(f, rules); err != nil {
		return nil, err
	}
	if ok, err := p.Accept(' '); err != nil {
		return nil, err
	} else if ok {
		if err := p.fetchModifiers(f, rules); err != nil {
			return nil, err
		}
	}
	if err := p.EOL(); err != nil {
		return nil, err
	}
	if f.Vanished && f.ChangedSince == 0 || f.empty() {
		return nil, p.Missing()
	}
	return f, nil
}

func (f *Fetch) empty() bool {
	return f.Items == 0 && f.Sections == nil && f.Binary == nil && f.Sizes == nil &&
		f.Lines == nil && f.LinesNot == nil
}

func (p *Parser) fetchAttributes(f *Fetch, rules FetchRules) error {
	list, err := p.Accept('(')
	if err != nil {
		return err
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		w = strings.ToUpper(w)
		if macro := fetchMacros[w]; macro != 0 && !list {
			f.Items |= macro
		} else if err := p.fetchAttribute(f, w, rules); err != nil {
			return err
		}
		if len(f.Sections)+len(f.Binary)+len(f.Sizes) > maxSections {
			return p.Bad("Invalid ", p.cmd, " attribute ", w)
		}
		if !list {
			return nil
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			return p.expect(')', p.Bad("Missing close parenthesis in ", p.cmd))
		}
	}
}

func (p *Parser) fetchAttribute(f *Fetch, w string, rules FetchRules) error {
	if item := fetchItems[w]; item != 0 {
		f.Items |= item
		f.SetSeen = f.SetSeen || w == "RFC822" || w == "RFC822.TEXT"
		return nil
	}
	switch {
	case strings.HasPrefix(w, "BODY[") || strings.HasPrefix(w, "BODY.PEEK["):
		return p.bodySection(f, w)
	case strings.HasPrefix(w, "BINARY[") || strings.HasPrefix(w, "BINARY.PEEK[") || strings.HasPrefix(w, "BINARY.SIZE["):
		return p.binarySection(f, w)
	case w == "RFC822.HEADER.LINES":
		return p.fieldNames(&f.Lines, w)
	case w == "RFC822.HEADER.LINES.NOT":
		return p.fieldNames(&f.LinesNot, w)
	case w == "PREVIEW" && rules.Preview:
		f.Items |= FetchPreview
		return p.previewModifier()
	case w == "ANNOTATION":
		f.Items |= FetchAnnotation
		return p.annotationFetch(f)
	case rules.Conversations && fetchConversations[w] != 0:
		f.Items |= fetchConversations[w]
		return nil
	}
	return p.Bad("Invalid ", p.cmd, " attribute ", w)
}

// previewModifier reads the optional "(LAZY)" after PREVIEW. The space before
// the next attribute must stay: so the parenthesis decides.
func (p *Parser) previewModifier() error {
	if !p.ahead(" (") {
		return nil
	}
	p.in.ReadByte()
	p.in.ReadByte()
	w, _, err := p.Word()
	if err != nil {
		return err
	}
	if !strings.EqualFold(w, "LAZY") {
		return p.Bad("FETCH contains invalid preview modifier (", w, ")")
	}
	return p.expect(')', Bad("PREVIEW list not finished."))
}

// ahead says whether the two octets of want come next. It relies on both being
// in one buffer fill, or reads the first and takes it back.
func (p *Parser) ahead(want string) bool {
	a, err := p.in.ReadByte()
	if err != nil {
		return false
	}
	if a != want[0] {
		p.in.UnreadByte()
		return false
	}
	b, err := p.in.PeekAfter()
	p.in.UnreadByte()
	return err == nil && b == want[1]
}

func (p *Parser) fetchModifiers(f *Fetch, rules FetchRules) error {
	if err := p.expect('(', p.Bad("Missing required open parenthesis in ", p.cmd, " modifiers")); err != nil {
		return err
	}
	for {
		w, _, err := p.Word()
		if err != nil {
			return err
		}
		switch w = strings.ToUpper(w); {
		case w == "CHANGEDSINCE":
			if f.ChangedSince, err = p.modSeqOf(w); err != nil {
				return err
			}
			f.Items |= FetchModSeq
		case w == "VANISHED" && rules.Vanished:
			f.Vanished = true
		default:
			return p.Bad("Invalid ", p.cmd, " modifier ", w)
		}
		if more, err := p.Accept(' '); err != nil {
			return err
		} else if !more {
			return p.expect(')', p.Bad("Missing close parenthesis in ", p.cmd))
		}
	}
}

// modSeqOf reads the number that belongs to the modifier w.
func (p *Parser) modSeqOf(w string) (uint64, error) {
	if err := p.expect(' ', p.Bad("Missing required argument to ", p.cmd, " ", w)); err != nil {
		return 0, err
	}
	n, ok, err := p.Number(math.MaxUint64)
	if err == nil && !ok {
		err = p.Bad("Invalid argument to ", p.cmd, " ", w)
	}
	return n, err
}
