package httpfence

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/hotseat-go/hotseat/fencing"
)

// serve calls next with ctx. When a newer term comes, it cuts next off from the client. If next
// then returns without an answer, serve gives the refusal.
func (s *Server) serve(
	ctx context.Context, t fencing.Token, next http.Handler,
	w http.ResponseWriter, r *http.Request,
) {
	o := &reply{
		ResponseWriter: w, control: http.NewResponseController(w),
		work: &work{Context: ctx}, resets: r.ProtoMajor > 1,
	}
	inner := r.WithContext(o.work)
	if r.Body != nil && r.Body != http.NoBody {
		inner.Body, o.has.unread = body{r.Body, o}, true
	}
	stop, returned := s.cutOff(ctx, t, o), false
	defer func() {
		r.MultipartForm = inner.MultipartForm // the server removes the files of its own request
		if newer := stop(); newer != nil && returned {
			o.close(newer)
		}
	}()
	next.ServeHTTP(o.writer(), inner)
	returned = true
}

// cutOff ends blocked reads from and writes to the client when a newer term comes. stop ends the
// watching, and returns the refusal of t by the newer term, if one came. It must be called before
// the handler is over, because the ResponseWriter may not be used afterwards.
func (s *Server) cutOff(
	ctx context.Context, t fencing.Token, o *reply,
) (stop func() (newer error)) {
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
			return superseded(ctx) // it may have ended just now
		}
		newer := <-cut
		if newer != nil {
			// For the answer. The rest of the body stays unread.
			_ = o.control.SetWriteDeadline(answerBy(ctx))
		}
		return newer
	}
}

// awaitNewer is for work whose context ended for another reason. It waits until a newer term comes,
// or until the work is over, which ends running. For that it enters the guard a second time: that
// entry ends for no other reason.
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

// answerBy is when the server would give up writing an answer that begins now. Zero means never.
func answerBy(ctx context.Context) time.Time {
	server, ok := ctx.Value(http.ServerContextKey).(*http.Server)
	if ok && server.WriteTimeout > 0 {
		return time.Now().Add(server.WriteTimeout)
	}
	return time.Time{}
}

// superseded returns the cause of ctx's end if a newer term ended it, else nil.
func superseded(ctx context.Context) error {
	if ctx.Err() != nil {
		if cause := context.Cause(ctx); errors.Is(cause, fencing.ErrStale) {
			return cause
		}
	}
	return nil
}

// body of a request. It ends with the term.
type body struct {
	io.ReadCloser
	reply *reply
}

func (b body) Read(p []byte) (int, error) {
	if err := superseded(b.reply.work); err != nil { // the server may have buffered some of the body
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
