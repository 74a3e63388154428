package apiserver

import (
	"net/http"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/hotseat-go/hotseat/internal/apistore"
)

const (
	// watchTimeout ends a watch that did not ask for timeoutSeconds;
	// kube-apiserver picks 30 to 60 minutes at random.
	watchTimeout = 30 * time.Minute
	// Bookmarks come this often, and once more this long before the timeout.
	bookmarkPeriod = time.Minute
	bookmarkBefore = 2 * time.Second
)

// watch is an accepted WATCH: what it selects and how far it has read.
type watch struct {
	req       *request
	match     func(object) bool
	cursor    int64 // every change up to here has been sent
	initial   []object
	bookmarks bool
	endMark   bool // a bookmark tells where the initial events end
	timeout   time.Duration
	expired   error // answered as the only event
}

func (c *Cluster) startWatch(r *request) (answer, error) {
	opts, match, err := listOptions(r)
	if err != nil {
		return answer{}, err
	}
	w := &watch{req: r, match: match, bookmarks: opts.AllowWatchBookmarks, timeout: watchTimeout}
	if s := opts.TimeoutSeconds; s != nil && *s > 0 {
		w.timeout = time.Duration(*s) * time.Second
	}
	if w.cursor, err = apistore.ParseVersion(opts.ResourceVersion); err != nil {
		return answer{}, apierrors.NewBadRequest(err.Error())
	}
	initial := opts.SendInitialEvents != nil && *opts.SendInitialEvents
	switch {
	case initial:
		if err := c.notFuture(opts.ResourceVersion, false); err != nil {
			w.expired = err
			break
		}
		if w.initial, w.cursor, err = c.store.list(r.res, r.namespace, 0, false); err != nil {
			return answer{}, err
		}
		w.endMark = w.bookmarks
	case w.cursor == 0:
		w.cursor = c.store.revision(false)
	default:
		// As kube-apiserver does, a version that is gone is told by an event.
		w.expired = c.store.startable(w.cursor)
	}
	return answer{code: http.StatusOK, watch: w}, nil
}

// run streams the watch to x until either side ends it.
func (w *watch) run(c *Cluster, x *exchange) {
	info, err := acceptable(w.req.header, true)
	if err != nil {
		return
	}
	s := &stream{x: x, res: w.req.res, info: info}
	if !s.begin() {
		return
	}
	if w.serve(c, s) {
		x.link.clear(x) // the end of the stream travels like any other message
	}
}

// serve sends events until the watch ends; false means that the client is not
// there any more to be told of the end.
func (w *watch) serve(c *Cluster, s *stream) bool {
	if w.expired != nil {
		return s.send(apiwatch.Error, statusOf(w.expired))
	}
	for _, obj := range w.initial {
		if w.match(obj) && !s.sendObject(apiwatch.Added, obj) {
			return false
		}
	}
	if w.endMark && !s.sendBookmark(w.cursor, map[string]string{metav1.InitialEventsAnnotationKey: "true"}) {
		return false
	}
	deadline := time.Now().Add(w.timeout)
	timeout := time.NewTimer(w.timeout)
	defer timeout.Stop()
	bookmark := time.NewTimer(0)
	defer bookmark.Stop()
	if next := untilBookmark(deadline); !w.bookmarks || next < 0 {
		bookmark.Stop()
	} else {
		bookmark.Reset(next)
	}
	for {
		changes, head, changed, err := c.store.since(w.cursor)
		if err != nil {
			return s.send(apiwatch.Error, statusOf(err))
		}
		for _, ch := range changes {
			if kind, obj := w.event(ch); obj != nil && !s.sendObject(kind, obj) {
				return false
			}
		}
		w.cursor = head
		select {
		case <-changed:
		case <-timeout.C:
			return true
		case <-bookmark.C:
			if !s.sendBookmark(w.cursor, nil) {
				return false
			}
			if next := untilBookmark(deadline); next > 0 {
				bookmark.Reset(next)
			}
		case n := <-s.x.notices:
			if n == expireStream {
				return s.send(apiwatch.Error, statusOf(apierrors.NewResourceExpired("too old resource version: "+strconv.FormatInt(w.cursor, 10))))
			}
			return true
		case <-s.x.ctx.Done():
			return false
		}
	}
}

// untilBookmark returns how long to wait for the next bookmark; negative means none.
func untilBookmark(deadline time.Time) time.Duration {
	return min(bookmarkPeriod, time.Until(deadline.Add(-bookmarkBefore)))
}

// event turns a change into what this watch is told of it: an object that stops
// being selected is deleted for it, one that starts is added. It returns nil if
// the watch does not select the object.
func (w *watch) event(ch change) (apiwatch.EventType, object) {
	if ch.Key.res != w.req.res || (w.req.namespace != "" && ch.Key.namespace != w.req.namespace) {
		return "", nil
	}
	before := ch.Old != nil && w.match(ch.Old)
	after := ch.New != nil && w.match(ch.New)
	switch {
	case after && before:
		return apiwatch.Modified, ch.New
	case after:
		return apiwatch.Added, ch.New
	case before:
		return apiwatch.Deleted, ch.Gone()
	}
	return "", nil
}

// stream writes watch events in the negotiated format.
type stream struct {
	x    *exchange
	res  *resource
	info runtime.SerializerInfo
}

// begin answers the request. From before the client knows, the link counts the
// stream as an open watch.
func (s *stream) begin() bool {
	if !s.x.link.watching(s.x) {
		return false
	}
	mediaType := s.info.MediaType
	if mediaType != runtime.ContentTypeJSON {
		mediaType += ";stream=watch"
	}
	s.x.w.Header().Set("Content-Type", mediaType)
	s.x.w.WriteHeader(http.StatusOK)
	s.x.flush()
	return true
}

func (s *stream) sendObject(kind apiwatch.EventType, obj runtime.Object) bool {
	return s.send(kind, withKind(obj, s.res.gvk()))
}

func (s *stream) sendBookmark(rev int64, annotations map[string]string) bool {
	obj := s.res.newItem()
	obj.SetResourceVersion(strconv.FormatInt(rev, 10))
	obj.SetAnnotations(annotations)
	return s.sendObject(apiwatch.Bookmark, obj)
}

// send returns false when the stream is over.
func (s *stream) send(kind apiwatch.EventType, obj runtime.Object) bool {
	raw, err := encode(s.info.Serializer, obj)
	if err != nil {
		return false
	}
	event := &metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: raw}}
	frame, err := encode(s.info.StreamSerializer.Serializer, event)
	if err != nil {
		return false
	}
	if !s.x.link.clear(s.x) {
		return false
	}
	if _, err := s.info.StreamSerializer.Framer.NewFrameWriter(s.x.w).Write(frame); err != nil {
		return false
	}
	s.x.flush()
	return true
}
