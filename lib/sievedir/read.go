package sievedir

import (
	"bytes"
	"cmp"
	"errors"
	"mime"
	"slices"
	"strings"

	"gocyrus/lib/charset"
	"gocyrus/lib/guid"
	"gocyrus/lib/log"
	"gocyrus/lib/mailbox"
	"gocyrus/lib/message"
)

// suffix is what follows a script's id in the file name of its message.
const suffix = ".sieve"

// errMalformed is the error of a message that is no script.
var errMalformed = errors.New("message is no script")

// scripts reads the live messages of a mailbox. Of several with one id the last
// counts; they are in the order in which the ids first came.
func scripts(v *mailbox.View) ([]Script, error) {
	var all []Script
	for recno := 1; recno <= v.NumRecords(); recno++ {
		if !v.Raw(recno).Live() {
			continue
		}
		s, err := read(v, recno)
		if errors.Is(err, errMalformed) {
			log.Err("sieve message missing filename: mailbox=<%s> uid=<%d>", v.Mailbox().Name(), s.UID)
			continue
		}
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(all, func(o Script) bool { return o.ID == s.ID }); i >= 0 {
			s.createdModSeq = all[i].createdModSeq
			all[i] = s
			continue
		}
		all = append(all, s)
	}
	// A script that was replaced keeps the modseq of its creation.
	slices.SortStableFunc(all, func(a, b Script) int { return cmp.Compare(a.createdModSeq, b.createdModSeq) })
	return all, nil
}

// find is the script of a name; the error is ErrNotFound.
func find(v *mailbox.View, name string) (Script, error) {
	all, err := scripts(v)
	if err != nil {
		return Script{}, err
	}
	// Where two have the name, Cyrus takes the last.
	for _, s := range slices.Backward(all) {
		if s.Name == name {
			return s, nil
		}
	}
	return Script{}, missing(name)
}

// read reads the script of one record.
func read(v *mailbox.View, recno int) (Script, error) {
	r := v.Raw(recno)
	s := Script{
		UID: r.UID(), LastUpdate: r.InternalDate(), Active: r.Flags()&flagActive != 0,
		recno: recno, createdModSeq: r.CreatedModSeq(), modSeq: r.ModSeq(),
	}
	m, err := v.Mailbox().OpenMessage(v, r)
	if err != nil {
		return s, err
	}
	defer m.Close()
	header, text := split(m.Bytes(), r.HeaderSize())
	s.GUID = guid.Of(text)
	s.Name = nameOf(header)
	if s.ID = idOf(header); s.ID == "" {
		return s, errMalformed
	}
	return s, nil
}

// body is the text of a script.
func body(v *mailbox.View, recno int) ([]byte, error) {
	r := v.Raw(recno)
	m, err := v.Mailbox().OpenMessage(v, r)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	_, text := split(m.Bytes(), r.HeaderSize())
	return bytes.Clone(text), nil
}

func split(file []byte, header uint32) (head, text []byte) {
	n := min(int(header), len(file))
	return file[:n], file[n:]
}

// nameOf is the script's name: the Subject, decoded.
func nameOf(header []byte) string {
	return string(charset.DecodeHeader(nil, message.Value(header, "Subject"), true))
}

// idOf is the script's id, "" when the message has no file name that ends as
// those of scripts do.
func idOf(header []byte) string {
	value := message.Unfold(nil, message.Value(header, "Content-Disposition"))
	_, params, err := mime.ParseMediaType(string(value))
	if err != nil {
		return ""
	}
	id, ok := strings.CutSuffix(params["filename"], suffix)
	if !ok {
		return ""
	}
	return id
}
