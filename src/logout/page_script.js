(function (s) {
  var x = new XMLHttpRequest();
  x.open(s.dataset.method, location.href.split('#')[0], true, 'logged-out', s.dataset.password);
  x.setRequestHeader('X-Basic-Logout', '1');
  x.send();
})(document.currentScript);
