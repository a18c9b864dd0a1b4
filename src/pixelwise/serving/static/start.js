// How each page begins: it takes nothing before it is ready, and says why it cannot start.

/** `advice` is what to do where it cannot start. */
export async function startPage(start, advice) {
  const main = document.querySelector("main");
  try {
    await start();
    main.inert = false; // what is chosen before could not be sent yet
  } catch (error) {
    const alert = document.getElementById("start-alert");
    alert.textContent = `The page cannot start: ${error.message}. ${advice}`;
    alert.hidden = false;
  }
  main.setAttribute("aria-busy", "false");
}
