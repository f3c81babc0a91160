package cyrustest

import (
	"errors"
	"io/fs"
	"os"

	"gocyrus/lib/cyrusdb"
)

// convertList gives mailboxes.db, if there is one, the form that this kind of
// server reads: the directory may come from one of the other kind.
func (s *Server) convertList() error {
	engine := "leveldb"
	if s.real {
		engine = "twoskip"
	}
	path := s.Path("conf/mailboxes.db")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	is, err := cyrusdb.Detect(path)
	if err != nil || is == engine || is == "" {
		return err
	}
	fresh := path + ".converted"
	if _, err := cyrusdb.Convert(path, fresh, engine); err != nil {
		return err
	}
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	return os.Rename(fresh, path)
}
