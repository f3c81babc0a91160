package csync

import (
	"io"
	"sync"

	"gocyrus/lib/guid"
)

// Upload is a message file to send.
type Upload struct {
	FileLiteral
	// Open gives the octets, which may be a mapped file; release is called when
	// they are not needed any more.
	Open func() (data []byte, release func(), err error)
}

// NewUpload makes APPLY MESSAGE of files. Each is opened when its turn has come.
// A file that cannot be opened, or is not what its size and GUID say, is left out,
// as Cyrus leaves it out: Answer.NotSent has it.
func NewUpload(files []Upload) *Request {
	u := &uploads{files: files}
	return &Request{Verb: Apply, Name: "MESSAGE", Body: u.write, uploads: u}
}

type uploads struct {
	files []Upload

	mu      sync.Mutex // the writer adds, Pending.end reads
	notSent []guid.GUID
}

func (u *uploads) write(w io.Writer) error {
	sep := "("
	for i := range u.files {
		if _, err := io.WriteString(w, sep); err != nil {
			return err
		}
		sep = " "
		if err := u.one(w, &u.files[i]); err != nil {
			return err
		}
	}
	if len(u.files) == 0 {
		sep = "()"
	} else {
		sep = ")"
	}
	_, err := io.WriteString(w, sep)
	return err
}

func (u *uploads) one(w io.Writer, f *Upload) error {
	data, release, err := f.Open()
	if err != nil {
		return u.skip(w, f)
	}
	defer release()
	if int64(len(data)) != int64(f.Size) || guid.Of(data) != f.GUID {
		return u.skip(w, f)
	}
	var head [128]byte
	if _, err := w.Write(f.AppendHead(head[:0], FromClient)); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func (u *uploads) skip(w io.Writer, f *Upload) error {
	u.mu.Lock()
	u.notSent = append(u.notSent, f.GUID)
	u.mu.Unlock()
	_, err := io.WriteString(w, "NIL")
	return err
}

func (u *uploads) left() []guid.GUID {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.notSent
}
