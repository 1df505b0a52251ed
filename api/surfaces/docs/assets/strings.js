// Interface text in English and Spanish. Text that comes from the OpenAPI
// document is never translated.

const TABLE = {
  skip: ['Skip to content', 'Saltar al contenido'],
  menu: ['Menu', 'Menú'],
  apiKey: ['API key', 'Clave de API'],
  show: ['Show', 'Ver'],
  hide: ['Hide', 'Ocultar'],
  clear: ['Clear', 'Borrar'],
  keyNote: ['Kept in this tab only, until you close it.', 'Se guarda solo en esta pestaña, hasta que la cierres.'],
  language: ['Language', 'Idioma'],
  reference: ['Reference', 'Referencia'],
  search: ['Search operations', 'Buscar operaciones'],
  found: ['{0} operations found', '{0} operaciones encontradas'],
  nothing: ['Nothing matches. Try an id, a path or a word of the summary.', 'Sin resultados. Prueba con un id, una ruta o una palabra del resumen.'],
  loadFailed: ['The OpenAPI document could not be loaded.', 'No se pudo cargar el documento OpenAPI.'],
  retry: ['Try again', 'Reintentar'],
  noSuch: ['There is no operation called “{0}” in this version.', 'No hay ninguna operación llamada «{0}» en esta versión.'],
  version: ['Version {0}', 'Versión {0}'],
  document: ['OpenAPI document', 'Documento OpenAPI'],
  operations: ['All operations', 'Todas las operaciones'],

  start: ['Getting started', 'Primeros pasos'],
  auth: ['Authentication', 'Autenticación'],
  authText: [
    'Send your key in the `Authorization` header of every request. Keys that start with `bdg_test_` see test data, keys that start with `bdg_live_` see your real shop. A key carries scopes, and each operation says which ones it needs.',
    'Envía tu clave en la cabecera `Authorization` de cada petición. Las claves que empiezan por `bdg_test_` ven datos de prueba; las que empiezan por `bdg_live_`, tu tienda real. Una clave lleva permisos (scopes), y cada operación dice cuáles necesita.'],
  idem: ['Safe retries', 'Reintentos seguros'],
  idemText: [
    'Send an `Idempotency-Key` with every `POST`: a fresh UUID for each new intent, the same one for each retry of it. A repeated call does nothing twice; it gives back the first answer with `Idempotent-Replayed: true`.',
    'Envía `Idempotency-Key` en cada `POST`: un UUID nuevo por cada intención y el mismo en sus reintentos. Una llamada repetida no hace nada dos veces; devuelve la primera respuesta con `Idempotent-Replayed: true`.'],
  paging: ['Paging', 'Paginación'],
  pagingText: [
    'Lists come one page at a time. Take `{0}` from the response and send it as `{1}` to get the next page, until there is none. A cursor is opaque: keep it, do not take it apart.',
    'Las listas llegan página a página. Toma `{0}` de la respuesta y envíalo como `{1}` para pedir la siguiente, hasta que no haya más. Un cursor es opaco: guárdalo, no lo interpretes.'],
  errors: ['Errors', 'Errores'],
  errorsText: [
    'Every failure is an RFC 9457 problem, sent as `application/problem+json`. Decide on `{0}`, which never changes; show `detail` to people; quote the `Request-Id` header when you ask for help. On 429 wait as long as `Retry-After` says.',
    'Todo fallo es un problema RFC 9457, enviado como `application/problem+json`. Decide según `{0}`, que nunca cambia; muestra `detail` a las personas; cita la cabecera `Request-Id` al pedir ayuda. Ante un 429, espera lo que diga `Retry-After`.'],
  versions: ['Versions', 'Versiones'],
  versionsText: [
    'The version is in the path: `{0}`. New fields, operations and problem codes may appear in it at any time, so ignore what you do not know. What is going away is marked here as deprecated and answers with a `Deprecation` header first.',
    'La versión está en la ruta: `{0}`. En ella pueden aparecer campos, operaciones y códigos de problema nuevos, así que ignora lo que no conozcas. Lo que va a desaparecer se marca aquí como obsoleto y antes responde con la cabecera `Deprecation`.'],
  pinText: ['Pin a dated version with the `{0}` header.', 'Fija una versión con fecha con la cabecera `{0}`.'],

  scopes: ['Scopes', 'Permisos'],
  noKey: ['Public, no key needed', 'Pública, sin clave'],
  events: ['Emits', 'Emite'],
  cost: ['Rate limit cost', 'Coste en el límite'],
  deprecated: ['Deprecated', 'Obsoleta'],
  params: ['{0} parameters', 'Parámetros de {0}'],
  in_path: ['Path', 'ruta'],
  in_query: ['Query', 'consulta'],
  in_header: ['Header', 'cabecera'],
  in_cookie: ['Cookie', 'cookie'],
  name: ['Name', 'Nombre'],
  type: ['Type', 'Tipo'],
  description: ['Description', 'Descripción'],
  required: ['required', 'obligatorio'],
  fallback: ['Default', 'Por defecto'],
  oneOfValues: ['One of', 'Uno de'],
  pattern: ['Pattern', 'Patrón'],
  chars: ['{0} characters', '{0} caracteres'],
  items: ['{0} items', '{0} elementos'],
  unique: ['no repeats', 'sin repetidos'],
  multiple: ['multiple of {0}', 'múltiplo de {0}'],
  readOnly: ['read only', 'solo lectura'],
  writeOnly: ['write only', 'solo escritura'],
  recursive: ['Same shape as {0} above.', 'Misma forma que {0}, arriba.'],
  fields: ['Fields of {0}', 'Campos de {0}'],
  variant: ['Option {0}', 'Opción {0}'],
  expandAll: ['Expand all', 'Desplegar todo'],
  body: ['Request body', 'Cuerpo de la petición'],
  responses: ['Responses', 'Respuestas'],
  answerHeaders: ['Headers ({0})', 'Cabeceras ({0})'],
  noBody: ['No body.', 'Sin cuerpo.'],
  problems: ['Problems', 'Problemas'],
  previous: ['Previous', 'Anterior'],
  next: ['Next', 'Siguiente'],

  samples: ['Samples', 'Ejemplos'],
  request: ['Request', 'Petición'],
  response: ['Response', 'Respuesta'],
  copy: ['Copy', 'Copiar'],
  copied: ['Copied', 'Copiado'],
  copyFailed: ['Select and copy by hand', 'Selecciona y copia a mano'],
  tryIt: ['Try it', 'Probar'],
  needKey: ['Add an API key to send this request.', 'Añade una clave de API para enviar esta petición.'],
  addKey: ['Add key', 'Añadir clave'],
  optional: ['Optional parameters ({0})', 'Parámetros opcionales ({0})'],
  notSent: ['not sent', 'no se envía'],
  commaList: ['Separate several values with commas.', 'Separa varios valores con comas.'],
  newKey: ['New', 'Nueva'],
  example: ['Example', 'Ejemplo'],
  format: ['Format', 'Dar formato'],
  reset: ['Reset', 'Restablecer'],
  badJson: ['Not valid JSON. You can send it anyway.', 'JSON no válido. Puedes enviarlo igualmente.'],
  fillPath: ['Fill in {0} first.', 'Rellena primero {0}.'],
  send: ['Send', 'Enviar'],
  cancel: ['Cancel', 'Cancelar'],
  cancelled: ['Cancelled.', 'Cancelada.'],
  netFailed: ['No answer: {0}', 'Sin respuesta: {0}'],
  binary: ['{0} bytes of {1}', '{0} bytes de {1}'],
  cut: ['Cut at {0} characters.', 'Cortado en {0} caracteres.'],
  liveTitle: ['This is a live key', 'Esta es una clave real'],
  liveText: ['The call below changes real data of your shop.', 'La siguiente llamada cambia datos reales de tu tienda.'],
  sendLive: ['Send to live', 'Enviar de verdad'],
};

let index = 0;

export const lang = () => (index ? 'es' : 'en');
export const setLang = (code) => { index = code === 'es' ? 1 : 0; };

/** The text for a key, with {0}, {1}… filled in. */
export function t(key, ...args) {
  const text = TABLE[key] ? TABLE[key][index] : key;
  return text.replace(/\{(\d)\}/g, (_, n) => String(args[n] ?? ''));
}

const memory = {};

/** Reads or writes browser storage; where it is refused, remembers until the page goes. */
export function store(area, key, value) {
  if (value !== undefined) memory[key] = value;
  try {
    const box = area === 'local' ? window.localStorage : window.sessionStorage;
    if (value === undefined) return box.getItem(key) || '';
    if (value) box.setItem(key, value); else box.removeItem(key);
  } catch { /* blocked by the browser */ }
  return memory[key] || '';
}
