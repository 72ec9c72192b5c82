(() => {
  const map = document.querySelector("#map svg");
  if (!map) return;
  const told = document.querySelector("#map output");
  const ring = map.querySelector(".ring");
  const points = [...map.querySelectorAll("circle:not(.ring)")].map((circle) => ({
    x: +circle.getAttribute("cx"),
    y: +circle.getAttribute("cy"),
    title: circle.textContent,
  }));
  const tell = (event) => {
    const frame = map.getBoundingClientRect();
    const scale = map.viewBox.baseVal.width / frame.width;
    const x = (event.clientX - frame.left) * scale;
    const y = (event.clientY - frame.top) * scale;
    let nearest = null;
    let least = 20 * scale;
    for (const point of points) {
      const distance = Math.hypot(point.x - x, point.y - y);
      if (distance < least) [nearest, least] = [point, distance];
    }
    if (!nearest) return;
    ring.setAttribute("cx", nearest.x);
    ring.setAttribute("cy", nearest.y);
    ring.setAttribute("visibility", "visible");
    told.textContent = nearest.title;
  };
  map.addEventListener("pointermove", tell);
  map.addEventListener("pointerdown", tell);
})();
