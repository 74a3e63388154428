package httpfence

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// serve calls next with ctx, cuts it off from its client when a newer term comes, and says so where next, which returned on
// that, did not.
func (s *Server) serve(ctx context.Context, t fencing.Token, next http.Handler, w http.ResponseWriter, r *http.Request) {
	o := &reply{ResponseWriter: w, control: http.NewResponseController(w), work: &work{Context: ctx}, resets: r.ProtoMajor > 1}
	inner := r.WithContext(o.work)
	if r.Body != nil && r.Body != http.NoBody {
		inner.Body, o.has.unread = body{r.Body, o}, true
	}
	stop, returned := s.cutOff(ctx, t, o), false
	defer func() {
		r.MultipartForm = inner.MultipartForm // the server removes the files of the request it made
		if newer := stop(); newer != nil && returned {
			o.close(newer)
		}
	}()
	next.ServeHTTP(o.writer(), inner)
	returned = true
}

// cutOff ends what blocks in reading from or writing to the client when a newer term comes. The returned function
// ends that, and returns the refusal that the newer term made of t; it must be called before the handler is over, when
// the ResponseWriter may no longer be used.
func (s *Server) cutOff(ctx context.Context, t fencing.Token, o *reply) (stop func() (newer error)) {
	cut := make(chan error, 1)
	running, over := context.WithCancel(context.WithoutCancel(ctx))
	cancel := context.AfterFunc(ctx, func() {
		newer := superseded(ctx)
		if newer == nil {
			newer = s.awaitNewer(running, t)
		}
		if newer != nil {
			o.newer()
		}
		cut <- newer
	})
	return func() error {
		over()
		if cancel() {
			return superseded(ctx) // just now
		}
		newer := <-cut
		if newer != nil {
			_ = o.control.SetWriteDeadline(answerBy(ctx)) // for the answer; the rest of the body stays unread
		}
		return newer
	}
}

// awaitNewer waits, for work whose context ended for another reason, until a newer term comes or the work is over, with
// which running ends. A second entry tells: it is at the guard beside the first one, and ends for nothing else.
func (s *Server) awaitNewer(running context.Context, t fencing.Token) (newer error) {
	watch, leave, err := s.config.Guard.Enter(running, t)
	if errors.Is(err, fencing.ErrStale) {
		return err
	}
	if err != nil {
		return nil
	}
	defer leave()
	<-watch.Done()
	return superseded(watch)
}

// answerBy is when the server would give up writing an answer that it begins now; zero means never.
func answerBy(ctx context.Context) time.Time {
	if server, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && server.WriteTimeout > 0 {
		return time.Now().Add(server.WriteTimeout)
	}
	return time.Time{}
}

// superseded returns the cause of ctx's end if that is a newer term, else nil.
func superseded(ctx context.Context) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); errors.Is(cause, fencing.ErrStale) {
			return cause
		}
	}
	return nil
}

// body of a request, which ends with the term.
type body struct {
	io.ReadCloser
	reply *reply
}

func (b body) Read(p []byte) (int, error) {
	if err := superseded(b.reply.work); err != nil { // what the server has buffered needs no connection
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.reply.read()
	} else if err != nil {
		if cause := superseded(b.reply.work); cause != nil {
			err = cause
		}
	}
	return n, err
}
