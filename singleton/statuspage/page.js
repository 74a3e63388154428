(() => {
  'use strict';
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const connection = document.getElementById('connection');
  const shown = {};
  let ahead = 0; // of the server's clock before this one, in milliseconds
  let heard = Date.now();

  const age = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 120) return s + ' s';
    if (s < 7200) return Math.floor(s / 60) + ' min ' + (s % 60) + ' s';
    if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor((s % 3600) / 60) + ' min';
    return Math.floor(s / 86400) + ' d ' + Math.floor((s % 86400) / 3600) + ' h';
  };

  // draw lets time pass on the page, between two events.
  const draw = () => {
    const stale = Date.now() - heard > 8000;
    const now = (stale ? heard : Date.now()) + ahead;
    for (const meter of document.querySelectorAll('[data-until]')) {
      const left = Math.max(0, (Number(meter.dataset.until) - now) / 1000);
      const part = Math.min(1, left / Number(meter.dataset.full));
      meter.querySelector('.left').setAttribute('width', 100 * part);
      meter.querySelector('b').textContent = left.toFixed(1);
      meter.setAttribute('aria-valuenow', left.toFixed(1));
      meter.setAttribute('aria-valuetext', left.toFixed(1) + ' seconds unless renewed');
      meter.classList.toggle('low', part < 0.3);
    }
    for (const time of document.querySelectorAll('time[data-age]')) {
      const at = new Date(time.dateTime);
      const passed = age((now - at.getTime()) / 1000);
      const text = time.dataset.age === 'for' ? 'for ' + passed : passed + ' ago';
      if (time.textContent !== text) time.textContent = text;
      time.title = at.toISOString();
    }
    document.body.classList.toggle('stale', stale);
    const text = stale ? 'Not connected since ' + new Date(heard + ahead).toISOString().slice(11, 19) +
      ' UTC. What you see is from then.' : '';
    if (connection.textContent !== text) connection.textContent = text;
  };

  const apply = (event) => {
    heard = Date.now();
    ahead = event.now - heard;
    for (const [id, html] of Object.entries(event.parts)) {
      if (shown[id] === html) continue;
      shown[id] = html;
      if (id === 'title') {
        document.title = new DOMParser().parseFromString(html, 'text/html').body.textContent;
      } else {
        document.getElementById(id).innerHTML = html;
      }
    }
    draw();
  };

  const connect = () => {
    const source = new EventSource(location.href);
    source.onmessage = (message) => apply(JSON.parse(message.data));
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 5000);
    };
  };

  connect();
  draw();
  setInterval(draw, calm ? 1000 : 100);
})();
