(() => {
  'use strict';
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const connection = document.getElementById('connection');
  const headline = document.getElementById('headline');
  const shown = { headline: headline.innerHTML };
  let title = document.title;
  let lost = false; // the connection
  let ahead = 0; // of the server's clock before this one, in milliseconds
  let heard = Date.now();

  const age = (seconds) => {
    const s = Math.max(0, Math.floor(seconds));
    if (s < 120) return s + ' s';
    if (s < 7200) return Math.floor(s / 60) + ' min ' + (s % 60) + ' s';
    if (s < 172800) return Math.floor(s / 3600) + ' h ' + Math.floor((s % 3600) / 60) + ' min';
    return Math.floor(s / 86400) + ' d ' + Math.floor((s % 86400) / 3600) + ' h';
  };

  // ageOf is the age that a time element shows. Its own text is the time of day.
  const ageOf = (time, now) => {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    switch (time.dataset.age) {
      case 'for': return 'for ' + age(seconds);
      case 'so far': return age(seconds) + ' so far';
      case 'due': return time.dataset.text + ', ' +
        (seconds < 0 ? 'in ' + age(Math.ceil(-seconds)) : age(seconds) + ' ago');
      default: return age(seconds) + ' ago';
    }
  };

  // connected says whether what the page shows is of the present.
  const connected = (is) => {
    if (lost === !is) return;
    lost = !is;
    document.body.classList.toggle('stale', lost);
    if (!lost) {
      connection.textContent = '';
      headline.innerHTML = shown.headline;
      document.title = title;
      return;
    }
    const since = new Date(heard + ahead).toISOString().slice(11, 19) + ' UTC';
    const said = headline.textContent.trim().replace(/^\S+\s+/, ''); // without its mark
    connection.textContent = 'This browser has had no connection to the page\'s server since ' + since +
      '. What you see is from then.';
    headline.textContent = '? Unknown since ' + since + '. Before: “' + said + '”';
    document.title = '? Unknown · ' + document.getElementById('name').textContent;
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
      time.dataset.text ??= time.textContent;
      const text = stale ? time.dataset.text : ageOf(time, now);
      if (time.textContent !== text) time.textContent = text;
      time.title = new Date(time.dateTime).toISOString();
    }
    connected(!stale);
  };

  const apply = (event) => {
    heard = Date.now();
    ahead = event.now - heard;
    for (const [id, html] of Object.entries(event.parts)) {
      if (shown[id] === html) continue;
      shown[id] = html;
      if (id === 'title') {
        title = new DOMParser().parseFromString(html, 'text/html').body.textContent;
        document.title = title;
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

  connection.textContent = ''; // what is for readers without this script
  connect();
  draw();
  setInterval(draw, calm ? 1000 : 100);
})();
