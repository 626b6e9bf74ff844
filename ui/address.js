// Writes a panel's controls into the address bar: no rerun, no entry in the history.
export default function ({ data, parentElement }) {
  if (data.lang) document.documentElement.lang = data.lang;
  const url = new URL(window.location.href);
  const page = url.pathname.split("/").pop();
  if (data.page !== page) return; // a late message of the page just left

  for (const key of [...url.searchParams.keys()])
    if (key.startsWith(data.prefix)) url.searchParams.delete(key);
  for (const [key, value] of Object.entries(data.params)) url.searchParams.set(key, value);
  if (url.href === window.location.href) return;

  window.history.replaceState(window.history.state, "", url);
  // A host that frames the app (Community Cloud) shows its own address bar: tell it, as Streamlit does.
  if (window.parent !== window)
    window.parent.postMessage(
      { stCommVersion: 1, type: "SET_QUERY_PARAM", queryParams: url.search },
      "*",
    );
}
