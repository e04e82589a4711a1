// The document: as much of the DOM as a chat page needs. Nothing is painted, and
// no text ever becomes HTML.
(function (window, shim, host) {
  "use strict";

  const { inner, EventTarget, DOMException } = shim;
  const ELEMENT = 1, TEXT = 3, DOCUMENT = 9, FRAGMENT = 11;

  class Node extends EventTarget {
    constructor(type) {
      super();
      Object.assign(this[inner], { type, parent: null, children: [] });
    }
    get nodeType() { return this[inner].type; }
    get parentNode() { return this[inner].parent; }
    get parentElement() { return this.parentNode instanceof Element ? this.parentNode : null; }
    get ownerDocument() { return this === document ? null : document; }
    get childNodes() { return this[inner].children.slice(); }
    get firstChild() { return this[inner].children[0] || null; }
    get lastChild() { return this[inner].children[this[inner].children.length - 1] || null; }
    get nextSibling() { return sibling(this, 1); }
    get previousSibling() { return sibling(this, -1); }
    get isConnected() { return document.contains(this); }
    hasChildNodes() { return this[inner].children.length > 0; }
    contains(other) {
      for (let at = other; at; at = at.parentNode) if (at === this) return true;
      return false;
    }
    get textContent() {
      if (this.nodeType === DOCUMENT) return null;
      return this[inner].children.map((child) => child.textContent).join("");
    }
    set textContent(text) {
      clear(this);
      if (text !== null && text !== "") insert(this, new Text(text), null);
    }
    get nodeValue() { return null; }
    appendChild(node) { return insert(this, needNode(node), null); }
    insertBefore(node, before) { return insert(this, needNode(node), before || null); }
    removeChild(node) {
      if (needNode(node).parentNode !== this) throw new DOMException("the node is no child of this one", "NotFoundError");
      detach(node);
      return node;
    }
    replaceChild(node, old) {
      insert(this, needNode(node), old);
      return this.removeChild(old);
    }
  }

  function needNode(node) {
    if (!(node instanceof Node)) throw new TypeError("the argument is not a Node");
    return node;
  }
  function sibling(node, step) {
    if (!node.parentNode) return null;
    const all = node.parentNode[inner].children;
    return all[all.indexOf(node) + step] || null;
  }

  // insert and detach are the only two that change the tree.
  function insert(parent, node, before) {
    if (node.nodeType === FRAGMENT) {
      for (const child of node.childNodes) insert(parent, child, before);
      return node;
    }
    if (node.contains(parent)) throw new DOMException("a node cannot hold itself", "HierarchyRequestError");
    const all = parent[inner].children;
    if (before !== null && before.parentNode !== parent) throw new DOMException("the node to insert before is no child of this one", "NotFoundError");
    if (before === node) return node;
    if (node.parentNode) detach(node);
    const index = before === null ? all.length : all.indexOf(before);
    if (index === all.length) all.push(node);
    else all.splice(index, 0, node);
    node[inner].parent = parent;
    if (node.tagName === "SCRIPT" && !building) host.report("the page added a script element; the harness's page does not run it");
    touched(parent, index, node);
    return node;
  }
  function detach(node) {
    const parent = node[inner].parent;
    const index = parent[inner].children.indexOf(node);
    parent[inner].children.splice(index, 1);
    node[inner].parent = null;
    touched(parent, index, node);
  }
  function clear(parent) {
    for (const child of parent[inner].children.slice().reverse()) detach(child);
  }

  class Text extends Node {
    constructor(text = "") {
      super(TEXT);
      this[inner].data = String(text);
    }
    get nodeName() { return "#text"; }
    get data() { return this[inner].data; }
    set data(text) {
      this[inner].data = String(text);
      if (this.parentNode) touched(this.parentNode, -1, this);
    }
    get textContent() { return this.data; }
    set textContent(text) { this.data = text === null ? "" : text; }
    get nodeValue() { return this.data; }
    set nodeValue(text) { this.data = text === null ? "" : text; }
    remove() { if (this.parentNode) detach(this); }
  }

  // ParentNode is what documents, fragments and elements share.
  class ParentNode extends Node {
    get children() { return this[inner].children.filter((child) => child.nodeType === ELEMENT); }
    get childElementCount() { return this.children.length; }
    get firstElementChild() { return this.children[0] || null; }
    get lastElementChild() {
      const all = this[inner].children;
      for (let i = all.length - 1; i >= 0; i--) if (all[i].nodeType === ELEMENT) return all[i];
      return null;
    }
    append(...nodes) { for (const node of nodes) insert(this, asNode(node), null); }
    prepend(...nodes) {
      const first = this.firstChild;
      for (const node of nodes) insert(this, asNode(node), first);
    }
    replaceChildren(...nodes) {
      clear(this);
      this.append(...nodes);
    }
    querySelector(selector) { return find(this, matcher(selector)); }
    querySelectorAll(selector) {
      const found = [];
      find(this, matcher(selector), found);
      return found;
    }
    getElementsByTagName(tag) { return this.querySelectorAll(tag); }
    getElementsByClassName(name) { return this.querySelectorAll("." + name); }
  }
  function asNode(value) {
    return value instanceof Node ? value : new Text(value);
  }
  // find walks the tree in document order. Without a list to fill it stops at the
  // first match.
  function find(root, matches, found) {
    for (const child of root[inner].children) {
      if (child.nodeType !== ELEMENT) continue;
      if (matches(child)) {
        if (!found) return child;
        found.push(child);
      }
      const below = find(child, matches, found);
      if (below) return below;
    }
    return null;
  }
  // matcher understands tag, #id, .class and their combinations, with a space for
  // "inside of" and a comma for "or". Anything else is an error.
  function matcher(selector) {
    const any = String(selector).split(",").map((one) => one.trim().split(/\s+/).map(compound));
    return (element) => any.some((parts) => {
      if (!parts[parts.length - 1](element)) return false;
      let at = element.parentElement;
      for (let i = parts.length - 2; i >= 0; i--) {
        while (at && !parts[i](at)) at = at.parentElement;
        if (!at) return false;
        at = at.parentElement;
      }
      return true;
    });
  }
  function compound(text) {
    if (!/^(\*|[\w-]+)?([#.][\w-]+)*$/.test(text) || text === "") {
      throw new DOMException(`the harness's page does not understand the selector ${JSON.stringify(text)}`, "SyntaxError");
    }
    const parts = text.match(/[#.]?[\w-]+/g) || [];
    return (element) => parts.every((part) =>
      part[0] === "#" ? element.id === part.slice(1)
        : part[0] === "." ? element.classList.contains(part.slice(1))
          : element.tagName === part.toUpperCase());
  }

  const hasValue = new Set(["INPUT", "TEXTAREA", "SELECT", "OPTION", "BUTTON"]);

  class Element extends ParentNode {
    constructor(tag) {
      super(ELEMENT);
      Object.assign(this[inner], { tag: tag.toUpperCase(), attributes: new Map(), style: styleOf() });
    }
    get tagName() { return this[inner].tag; }
    get nodeName() { return this[inner].tag; }
    get localName() { return this[inner].tag.toLowerCase(); }
    getAttribute(name) {
      const value = this[inner].attributes.get(String(name).toLowerCase());
      return value === undefined ? null : value;
    }
    hasAttribute(name) { return this.getAttribute(name) !== null; }
    setAttribute(name, value) {
      this[inner].attributes.set(String(name).toLowerCase(), String(value));
      if (name === "id" && this.isConnected) touched(document, 0, this);
    }
    removeAttribute(name) { this[inner].attributes.delete(String(name).toLowerCase()); }
    toggleAttribute(name, force = !this.hasAttribute(name)) {
      if (force) this.setAttribute(name, this.getAttribute(name) || "");
      else this.removeAttribute(name);
      return force;
    }
    get innerText() { return this.textContent; }
    set innerText(text) { this.textContent = text; }
    // Text that is not empty stays text, whatever tags are in it: what a user would
    // see then is for the note to say.
    set innerHTML(text) {
      text = text === null ? "" : String(text);
      if (text !== "") host.report("page used innerHTML");
      this.textContent = text;
    }
    get innerHTML() { throw new TypeError("reading element.innerHTML is not implemented by the harness's page"); }
    get style() { return this[inner].style; }
    set style(text) { this[inner].style.cssText = String(text); }
    get classList() { return classListOf(this); }
    get dataset() { return datasetOf(this); }
    get value() {
      if (!hasValue.has(this.tagName)) return undefined;
      if (this[inner].value !== undefined) return this[inner].value;
      return this.tagName === "TEXTAREA" ? this.textContent : this.getAttribute("value") || "";
    }
    set value(text) {
      text = text === null ? "" : String(text);
      // A one-line field holds one line.
      this[inner].value = this.tagName === "INPUT" ? text.replace(/[\r\n]/g, "") : text;
    }
    get checked() { return this[inner].checked === undefined ? this.hasAttribute("checked") : this[inner].checked; }
    set checked(value) { this[inner].checked = Boolean(value); }
    get form() { return this.closest("form"); }
    get elements() { return this.querySelectorAll("input,textarea,select,button"); }
    // Nothing is laid out, so nothing ever overflows.
    get scrollTop() { return 0; }
    set scrollTop(value) {}
    get scrollHeight() { return 0; }
    get clientHeight() { return 0; }
    scrollIntoView() {}
    scrollTo() {}
    remove() { if (this.parentNode) detach(this); }
    before(...nodes) { for (const node of nodes) insert(this.parentNode, asNode(node), this); }
    after(...nodes) {
      const next = this.nextSibling;
      for (const node of nodes) insert(this.parentNode, asNode(node), next);
    }
    replaceWith(...nodes) {
      this.before(...nodes);
      this.remove();
    }
    matches(selector) { return matcher(selector)(this); }
    closest(selector) {
      const matches = matcher(selector);
      for (let at = this; at; at = at.parentElement) if (matches(at)) return at;
      return null;
    }
    cloneNode(deep = false) {
      const copy = new Element(this.tagName);
      copy[inner].attributes = new Map(this[inner].attributes);
      if (deep) for (const child of this[inner].children) insert(copy, child.nodeType === TEXT ? new Text(child.data) : child.cloneNode(true), null);
      return copy;
    }
    focus() { document[inner].active = this; }
    blur() { if (document.activeElement === this) document[inner].active = null; }
    click() {
      if (this.disabled) return;
      const goOn = this.dispatchEvent(new shim.MouseEvent("click", { bubbles: true, cancelable: true }));
      const type = this.getAttribute("type");
      const submits = (this.tagName === "BUTTON" && (type === null || type === "submit")) || (this.tagName === "INPUT" && type === "submit");
      if (goOn && submits && this.form) this.form.requestSubmit(this);
    }
    requestSubmit(submitter = null) {
      if (this.tagName !== "FORM") throw new TypeError("requestSubmit is for forms");
      const goOn = this.dispatchEvent(new shim.SubmitEvent("submit", { bubbles: true, cancelable: true, submitter }));
      if (goOn) host.report("the form was submitted and nothing called preventDefault: a browser would leave the page");
    }
    reset() {
      for (const field of this.elements) field[inner].value = field[inner].checked = undefined;
    }
  }

  function reflect(property, attribute, isFlag) {
    Object.defineProperty(Element.prototype, property, {
      get() { return isFlag ? this.hasAttribute(attribute) : this.getAttribute(attribute) || ""; },
      set(value) {
        if (!isFlag) this.setAttribute(attribute, value);
        else this.toggleAttribute(attribute, Boolean(value));
      },
      enumerable: true,
      configurable: true,
    });
  }
  const texts = { id: "id", className: "class", title: "title", name: "name", type: "type", placeholder: "placeholder", href: "href", src: "src", alt: "alt", lang: "lang", htmlFor: "for", role: "role" };
  for (const property of Object.keys(texts)) reflect(property, texts[property], false);
  for (const property of ["hidden", "disabled", "required", "autofocus"]) reflect(property, property, true);
  reflect("readOnly", "readonly", true);
  shim.handlers(Element.prototype, "click", "submit", "input", "change", "keydown", "keyup", "keypress", "focus", "blur", "load", "error");
  shim.missing(Element.prototype, "element", "outerHTML", "insertAdjacentHTML", "insertAdjacentElement", "insertAdjacentText", "attributes",
    "offsetHeight", "offsetWidth", "offsetTop", "offsetLeft", "clientWidth", "getBoundingClientRect", "getClientRects", "animate",
    "attachShadow", "shadowRoot", "submit", "setHTML", "setHTMLUnsafe", "checkValidity", "reportValidity", "selectionStart", "showModal");

  function styleOf() {
    return Object.create({
      setProperty(name, value) { this[name] = String(value); },
      removeProperty(name) { delete this[name]; },
      getPropertyValue(name) { return this[name] || ""; },
    });
  }
  function classListOf(element) {
    const names = () => element.className.split(/\s+/).filter(Boolean);
    const set = (list) => { element.className = list.join(" "); };
    return {
      get length() { return names().length; },
      get value() { return element.className; },
      item: (i) => names()[i] || null,
      contains: (name) => names().includes(name),
      add(...added) { set([...new Set([...names(), ...added.map(String)])]); },
      remove(...removed) { set(names().filter((name) => !removed.includes(name))); },
      toggle(name, force = !this.contains(name)) {
        if (force) this.add(name);
        else this.remove(name);
        return force;
      },
    };
  }
  function datasetOf(element) {
    const attribute = (name) => "data-" + name.replace(/[A-Z]/g, (letter) => "-" + letter.toLowerCase());
    return new Proxy({}, {
      get: (_, name) => (typeof name === "string" && element.hasAttribute(attribute(name)) ? element.getAttribute(attribute(name)) : undefined),
      has: (_, name) => typeof name === "string" && element.hasAttribute(attribute(name)),
      set(_, name, value) {
        element.setAttribute(attribute(name), value);
        return true;
      },
      deleteProperty(_, name) {
        element.removeAttribute(attribute(name));
        return true;
      },
    });
  }

  class DocumentFragment extends ParentNode {
    constructor() { super(FRAGMENT); }
    get nodeName() { return "#document-fragment"; }
  }

  class Document extends ParentNode {
    constructor() {
      super(DOCUMENT);
      Object.assign(this[inner], { readyState: "loading", byId: new Map(), active: null });
    }
    get nodeName() { return "#document"; }
    get documentElement() { return this.firstElementChild; }
    get head() { return this.querySelector("head"); }
    get body() { return this.querySelector("body"); }
    get title() {
      const title = this.querySelector("title");
      return title ? title.textContent : "";
    }
    set title(text) {
      const title = this.querySelector("title") || (this.head && this.head.appendChild(new Element("title")));
      if (title) title.textContent = text;
    }
    get readyState() { return this[inner].readyState; }
    get hidden() { return false; }
    get visibilityState() { return "visible"; }
    get activeElement() { return this[inner].active || this.body; }
    get location() { return window.location; }
    get defaultView() { return window; }
    get currentScript() { return null; }
    get URL() { return window.location.href; }
    get forms() { return this.querySelectorAll("form"); }
    hasFocus() { return true; }
    // The element found last time is looked at first: a page may ask for its list
    // with every message.
    getElementById(id) {
      id = String(id);
      const known = this[inner].byId.get(id);
      if (known && known.id === id && this.contains(known)) return known;
      const found = find(this, (element) => element.id === id);
      if (found) this[inner].byId.set(id, found);
      return found;
    }
    createElement(tag) {
      if (!/^[a-zA-Z][\w-]*$/.test(tag)) throw new DOMException(`${JSON.stringify(tag)} is no tag name`, "InvalidCharacterError");
      return new Element(tag);
    }
    createTextNode(text) { return new Text(text); }
    createDocumentFragment() { return new DocumentFragment(); }
  }
  shim.handlers(Document.prototype, "DOMContentLoaded", "readystatechange", "visibilitychange", "click", "keydown", "keyup", "submit", "input");
  shim.missing(Document.prototype, "document", "cookie", "write", "writeln", "open", "close", "execCommand", "createEvent", "implementation", "evaluate",
    "createTreeWalker", "createRange", "getSelection", "domain", "referrer", "scripts", "images", "links");

  const document = new Document();
  shim.publish({ document, Node, Text, Element, HTMLElement: Element, Document, DocumentFragment });
  shim.parentForEvents = (target, event) => {
    if (target === document) return event.type === "load" ? null : window;
    return target instanceof Node ? target.parentNode : null;
  };

  // The parser's side: the host opens, fills and closes elements as they come, so
  // that a script sees the document as far as it has been read.
  let at = document;
  let building = false;
  const build = (change) => {
    building = true;
    change();
    building = false;
  };
  shim.openElement = (tag, names, values) => build(() => {
    const element = new Element(tag);
    names.forEach((name, i) => {
      element.setAttribute(name, values[i]);
      if (name.startsWith("on")) host.report(`the page has the inline handler ${name}, which the harness's page does not run`);
    });
    at = insert(at, element, null);
  });
  shim.addText = (text) => build(() => insert(at, new Text(text), null));
  shim.closeElement = () => { at = at.parentNode; };
  shim.readyState = (state) => {
    document[inner].readyState = state;
    const change = shim.fire(document, new shim.Event("readystatechange"));
    if (state === "interactive") return shim.inOrder(change, shim.fire(document, new shim.Event("DOMContentLoaded", { bubbles: true })));
    return shim.inOrder(change, shim.fire(window, new shim.Event("load")));
  };
  shim.unload = () => shim.inOrder(
    shim.fire(window, new shim.Event("beforeunload", { cancelable: true })),
    shim.fire(window, new shim.Event("pagehide")),
    shim.fire(window, new shim.Event("unload")));

  // The watched list: which of the children of the element with that id are new
  // or different since changes was last asked.
  const watched = { id: null, list: null, nodes: 0, items: 0 };
  shim.watch = (id) => { watched.id = id; };

  // touched: child, which is or was below parent at index, has changed.
  function touched(parent, index, child) {
    if (watched.id === null) return;
    for (let at = parent, below = child; at; below = at, at = at.parentNode) {
      if (at.id === watched.id) return changedAt(at === parent && index >= 0 ? index : at[inner].children.lastIndexOf(below));
      if (at === document && child.nodeType === ELEMENT) changedAt(0);
    }
  }
  function changedAt(index) {
    if (index < watched.nodes) watched.list = null;
    host.listChanged();
  }
  shim.changes = () => {
    const list = document.getElementById(watched.id);
    if (list !== watched.list) Object.assign(watched, { list, nodes: 0, items: 0 });
    const from = watched.items;
    const fresh = list ? list[inner].children.slice(watched.nodes).filter((node) => node.nodeType === ELEMENT) : [];
    watched.nodes = list ? list[inner].children.length : 0;
    watched.items += fresh.length;
    return { from, texts: fresh.map((item) => item.textContent) };
  };
});
