// The service worker: keeps the page's files, so that it opens without a network after its first load. What the lab loads is
// kept when it was loaded once.
export {}; // a module: its names are its own

declare const self: ServiceWorkerGlobalScope;
/** Of the page's files, written in by the build; and those of them that it needs to start. */
declare const VERSION: string;
declare const FILES: string[];

const PREFIX = "orchestrator-playground-";
const CACHE = PREFIX + VERSION;

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE))
      .then((old) => Promise.all(old.map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

// The network first, so that a page is never older than its host's; without one, what was kept.
self.addEventListener("fetch", (event) => {
  if (event.request.method !== "GET" || !event.request.url.startsWith(self.registration.scope)) return;
  event.respondWith(
    fetch(event.request).then(
      (response) => {
        const copy = response.clone();
        if (response.ok) event.waitUntil(caches.open(CACHE).then((cache) => cache.put(event.request, copy)));
        return response;
      },
      async () => {
        const kept = await (await caches.open(CACHE)).match(event.request, { ignoreSearch: true });
        return kept ?? Response.error();
      },
    ),
  );
});
