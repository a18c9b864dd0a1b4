// Tabs by mouse, by arrow keys, and by the address: #style opens the tab Style.

export function setUpTabs(list) {
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const panelOf = (tab) => document.getElementById(tab.getAttribute("aria-controls"));

  function select(selected) {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", tab === selected);
      tab.tabIndex = tab === selected ? 0 : -1; // one stop of the Tab key; arrows go on from there
      panelOf(tab).hidden = tab !== selected;
    }
  }

  function open(tab) {
    select(tab);
    history.replaceState(null, "", `#${panelOf(tab).id}`);
  }

  function selectByAddress() {
    const tab = tabs.find((candidate) => `#${panelOf(candidate).id}` === location.hash);
    select(tab ?? tabs[0]);
  }

  function move(event) {
    const place = tabs.indexOf(event.target);
    const steps = { ArrowLeft: place - 1, ArrowRight: place + 1, Home: 0, End: -1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const tab = tabs.at(steps[event.key] % tabs.length);
    open(tab);
    tab.focus();
  }

  for (const tab of tabs) tab.addEventListener("click", () => open(tab));
  list.addEventListener("keydown", move);
  addEventListener("hashchange", selectByAddress);
  selectByAddress();
}
