//! The table of problems. Each has a page at `/problems/{code}`.

use super::{Code, Text};

macro_rules! problems {
    ($($name:ident $code:literal $status:literal $en:literal / $es:literal: $about:literal / $acerca:literal)*) => {
        $(
            #[doc = $about]
            pub static $name: Code = Code {
                code: $code,
                status: $status,
                title: Text::of($en, $es),
                about: Text::of($about, $acerca),
            };
        )*

        /// Every problem there is, in the order of the table.
        pub static ALL: &[&Code] = &[$(&$name),*];
    };
}

problems! {
    MALFORMED_JSON "malformed_json" 400 "Malformed JSON" / "JSON mal formado":
        "The body is not JSON that this API takes: valid UTF-8, one document, no key twice, at most 32 levels."
        / "El cuerpo no es JSON que esta API acepte: UTF-8 válido, un documento, ninguna clave repetida, 32 niveles como máximo."
    MALFORMED_REQUEST "malformed_request" 400 "Malformed request" / "Solicitud mal formada":
        "The request is not one that can be read: its path, query or a header is not valid."
        / "La solicitud no se puede leer: su ruta, sus parámetros o un encabezado no son válidos."
    QUERY_SYNTAX "query_syntax" 400 "Not a GraphQL document" / "No es un documento GraphQL":
        "The text is not a GraphQL document; the error says where it stops being one."
        / "El texto no es un documento GraphQL; el error dice dónde deja de serlo."
    QUERY_INVALID "query_invalid" 400 "The document does not fit" / "El documento no corresponde":
        "The GraphQL document or its variables do not fit the schema; the message says what, `locations` where."
        / "El documento GraphQL o sus variables no corresponden al esquema; el mensaje dice qué, `locations` dónde."
    QUERY_TOO_LARGE "query_too_large" 400 "The document asks too much" / "El documento pide demasiado":
        "The GraphQL document goes beyond one of the bounds; `limit` names it, `max` says how much it allows."
        / "El documento GraphQL rebasa uno de los límites; `limit` lo nombra, `max` dice cuánto permite."
    UNAUTHENTICATED "unauthenticated" 401 "Not authenticated" / "Sin autenticar":
        "Send `Authorization: Bearer <key>` with an API key that is neither revoked nor expired."
        / "Envíe `Authorization: Bearer <clave>` con una clave de API que no esté revocada ni vencida."
    INSUFFICIENT_SCOPE "insufficient_scope" 403 "Insufficient scope" / "Permiso insuficiente":
        "The key does not have the scope that this operation needs; `scope` names it."
        / "La clave no tiene el permiso que esta operación necesita; `scope` lo nombra."
    BEYOND_OWN_RIGHTS "beyond_own_rights" 403 "Beyond its own rights" / "Más de lo que tiene":
        "A key can neither give nor take over what it does not have itself: time, addresses, origins, a plan. The error's code says which."
        / "Una clave no puede dar ni tomar lo que ella misma no tiene: tiempo, direcciones, orígenes, un plan. El código del error dice cuál."
    LIVE_ONLY "live_only" 403 "Only with a live key" / "Sólo con una clave de producción":
        "Only a key to a live organization can do this; what is done in a sandbox stays in it."
        / "Sólo una clave de una organización real puede hacer esto; lo que se hace en un entorno de pruebas se queda en él."
    INTROSPECTION_OFF "introspection_off" 403 "No introspection" / "Sin introspección":
        "This server does not show its GraphQL schema; the released one is in the documentation."
        / "Este servidor no muestra su esquema GraphQL; el publicado está en la documentación."
    ADDRESS_NOT_ALLOWED "address_not_allowed" 403 "Address not allowed" / "Dirección no permitida":
        "The key may be used only from the addresses it was given."
        / "La clave sólo se puede usar desde las direcciones que se le asignaron."
    ORIGIN_NOT_ALLOWED "origin_not_allowed" 403 "Origin not allowed" / "Origen no permitido":
        "The key may be used in a browser only on the origins it was given."
        / "La clave sólo se puede usar en un navegador desde los orígenes que se le asignaron."
    DOCUMENT_NOT_TRUSTED "document_not_trusted" 403 "Document not trusted" / "Documento no autorizado":
        "The organization answers to documents on its list only, and this is none of them."
        / "La organización sólo responde a los documentos de su lista, y este no es uno de ellos."
    DESTINATION_NOT_ALLOWED "destination_not_allowed" 403 "Destination not allowed" / "Destino no permitido":
        "Webhooks are not sent there: only to public addresses, over HTTP or HTTPS, without a user in the URL. To try a receiver on your own machine, use `bodega listen`."
        / "Ahí no se envían webhooks: sólo a direcciones públicas, por HTTP o HTTPS, sin usuario en la URL. Para probar un receptor en su propia máquina, use `bodega listen`."
    NOT_FOUND "not_found" 404 "Not found" / "No encontrado":
        "There is nothing here by that name, or nothing that this key may see."
        / "Aquí no hay nada con ese nombre, o nada que esta clave pueda ver."
    WRONG_ID_TYPE "wrong_id_type" 404 "Wrong type of id" / "Tipo de id equivocado":
        "The id is of another type of object; ids start with a prefix that tells their type."
        / "El id es de otro tipo de objeto; los ids empiezan con un prefijo que indica su tipo."
    PERSISTED_QUERY_NOT_FOUND "persisted_query_not_found" 404 "Unknown document" / "Documento desconocido":
        "No document with this hash is kept here; send it whole, with the hash."
        / "Aquí no se guarda ningún documento con este hash; envíelo completo, con el hash."
    METHOD_NOT_ALLOWED "method_not_allowed" 405 "Method not allowed" / "Método no permitido":
        "This path does not take that method; `Allow` lists those it takes."
        / "Esta ruta no acepta ese método; `Allow` enumera los que acepta."
    NOT_ACCEPTABLE "not_acceptable" 406 "Not acceptable" / "No aceptable":
        "This path answers in JSON; `Accept` rules that out."
        / "Esta ruta responde en JSON; `Accept` lo excluye."
    REQUEST_TIMEOUT "request_timeout" 408 "Request timed out" / "Tiempo agotado":
        "The body took too long to arrive." / "El cuerpo tardó demasiado en llegar."
    CONFLICT "conflict" 409 "Conflict" / "Conflicto":
        "Another request changed the same thing at the same moment. Nothing was written; try again."
        / "Otra solicitud cambió lo mismo en el mismo momento. No se escribió nada; intente de nuevo."
    EXTERNAL_ID_TAKEN "external_id_taken" 409 "External id taken" / "Id externo ya usado":
        "Another object of this type has this `external_id`."
        / "Otro objeto de este tipo tiene este `external_id`."
    SKU_TAKEN "sku_taken" 409 "SKU taken" / "SKU ya usado":
        "Another variant has this `sku`." / "Otra variante tiene este `sku`."
    BARCODE_TAKEN "barcode_taken" 409 "Barcode taken" / "Código de barras ya usado":
        "Another variant has this `barcode`." / "Otra variante tiene este `barcode`."
    SLUG_TAKEN "slug_taken" 409 "Slug taken" / "Slug ya usado":
        "Another object of this type has this `slug`." / "Otro objeto de este tipo tiene este `slug`."
    NAME_TAKEN "name_taken" 409 "Name taken" / "Nombre ya usado":
        "Another object of this type has this `name`." / "Otro objeto de este tipo tiene este `name`."
    OPTIONS_TAKEN "options_taken" 409 "Option combination taken" / "Combinación de opciones ya usada":
        "Another variant of the product has the same combination of options."
        / "Otra variante del producto tiene la misma combinación de opciones."
    PRICE_TAKEN "price_taken" 409 "Price taken" / "Precio ya definido":
        "The variant already has a price in this currency from this quantity on."
        / "La variante ya tiene un precio en esta moneda a partir de esta cantidad."
    IN_USE "in_use" 409 "In use" / "En uso":
        "Other objects point to this one; take them off it first."
        / "Otros objetos apuntan a éste; quítelos primero."
    INVALID_TRANSITION "invalid_transition" 409 "Invalid transition" / "Transición no válida":
        "The object's status does not allow this action; `allowed` lists the states it could go to."
        / "El estado del objeto no permite esta acción; `allowed` enumera los estados a los que puede pasar."
    CYCLE "cycle" 409 "Would be a cycle" / "Formaría un ciclo":
        "The change would put a node under itself, or the tree deeper than it may be."
        / "El cambio pondría un nodo debajo de sí mismo, o el árbol más hondo de lo permitido."
    OPTIONS_MISMATCH "options_mismatch" 409 "Options do not match" / "Las opciones no coinciden":
        "A variant has exactly one of the product's values for each of its options."
        / "Una variante tiene exactamente uno de los valores del producto para cada una de sus opciones."
    AHEAD_OF_LOG "ahead_of_log" 409 "Ahead of the log" / "Más allá del registro":
        "No event has that place yet: it may be of another organization, or of a log that was restored."
        / "Ningún evento tiene todavía ese lugar: puede ser de otra organización o de un registro restaurado."
    FILTER_NOT_VALID "filter_not_valid" 409 "Filter not valid" / "Filtro no válido":
        "The filter expression does not compile, or costs too much; the error tells the line and column."
        / "La expresión del filtro no compila, o cuesta demasiado; el error indica la línea y la columna."
    DOCUMENT_NOT_VALID "document_not_valid" 409 "Document not valid" / "Documento no válido":
        "The GraphQL document goes beyond a bound, or does not fit the schema; the error tells why."
        / "El documento de GraphQL rebasa un límite o no corresponde al esquema; el error indica por qué."
    SELECTION_NOT_VALID "selection_not_valid" 409 "Selection not valid" / "Selección no válida":
        "The GraphQL selection does not fit the objects that the endpoint is sent; the error tells why."
        / "La selección de GraphQL no corresponde a los objetos que recibe el destino; el error indica por qué."
    HEADER_NOT_ALLOWED "header_not_allowed" 409 "Header not allowed" / "Encabezado no permitido":
        "A webhook sets this header itself, or no message can carry it."
        / "Un webhook pone ese encabezado por su cuenta, o ningún mensaje puede llevarlo."
    PAYLOAD_GONE "payload_gone" 409 "Payload gone" / "Contenido borrado":
        "What was to be sent has been erased, because it is too old."
        / "Lo que se iba a enviar se borró, porque es demasiado antiguo."
    LIMIT_REACHED "limit_reached" 409 "Limit reached" / "Límite alcanzado":
        "There are already as many of these as there may be: in the parent, or in the organization by its plan. `limit` says how many, `of` says of what."
        / "Ya hay tantos de éstos como puede haber: en el objeto padre, o en la organización según su plan. `limit` dice cuántos, `of` dice de qué."
    IDEMPOTENCY_IN_PROGRESS "idempotency_in_progress" 409 "Still in progress" / "Aún en proceso":
        "The first request with this `Idempotency-Key` is still running; try again after `Retry-After` seconds."
        / "La primera solicitud con esta `Idempotency-Key` aún se ejecuta; intente de nuevo tras `Retry-After` segundos."
    VERSION_MISMATCH "version_mismatch" 412 "Stale version" / "Versión atrasada":
        "The object has been changed since the version in `If-Match`; read it again."
        / "El objeto ha cambiado desde la versión de `If-Match`; léalo de nuevo."
    PAYLOAD_TOO_LARGE "payload_too_large" 413 "Too large" / "Demasiado grande":
        "The body is larger than this path takes." / "El cuerpo es más grande de lo que esta ruta acepta."
    URI_TOO_LONG "uri_too_long" 414 "Too long" / "Demasiado largo":
        "The path and query are longer than 16 KiB." / "La ruta y sus parámetros pasan de 16 KiB."
    UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" 415 "Unsupported media type" / "Tipo de contenido no admitido":
        "Send the body as `application/json` in UTF-8, not encoded."
        / "Envíe el cuerpo como `application/json` en UTF-8, sin codificar."
    VALIDATION_FAILED "validation_failed" 422 "Not valid" / "No válido":
        "Something in the request is not as the documentation asks; `errors` says what and where."
        / "Algo en la solicitud no es como la documentación pide; `errors` dice qué y dónde."
    UNKNOWN_VERSION "unknown_version" 422 "Unknown version" / "Versión desconocida":
        "`Bodega-Version` is none of this API's dates; `versions` lists them."
        / "`Bodega-Version` no es ninguna de las fechas de esta API; `versions` las enumera."
    INVALID_CURSOR "invalid_cursor" 422 "Invalid cursor" / "Cursor no válido":
        "The cursor is not one that this list gave for the same filters and sort within the last 24 hours."
        / "El cursor no es uno que esta lista diera para los mismos filtros y orden en las últimas 24 horas."
    EXPANSION_TOO_LARGE "expansion_too_large" 422 "Expansion too large" / "Expansión demasiado grande":
        "What is asked for with its links would be too much; ask for fewer rows or fewer levels. `limit` says what is too much (`objects` or `bytes` of the answer in memory), `max` how much there may be."
        / "Lo que se pide con sus enlaces sería demasiado; pida menos filas o menos niveles. `limit` dice de qué hay demasiado (`objects` o `bytes` de la respuesta en memoria), `max` cuánto puede haber."
    ANSWER_TOO_LARGE "answer_too_large" 422 "Answer too large" / "Respuesta demasiado grande":
        "The whole answer would be too much; ask for less at a time. `limit` says what is too much (`objects` or `bytes` of the answer in memory), `max` how much there may be."
        / "La respuesta completa sería demasiado; pida menos a la vez. `limit` dice de qué hay demasiado (`objects` o `bytes` de la respuesta en memoria), `max` cuánto puede haber."
    COST_ABOVE_PLAN "cost_above_plan" 422 "Costs more than the plan allows" / "Cuesta más de lo que permite el plan":
        "The call costs more units than the plan of the key ever allows at once, so no wait will do; send it in parts. `cost` says how many units it takes, `max` how many it may. Each line of a batch costs what it would alone."
        / "La llamada cuesta más unidades de las que el plan de la clave permite de una vez, así que esperar no sirve; envíela en partes. `cost` dice cuántas unidades cuesta, `max` cuántas puede. Cada línea de un lote cuesta lo que costaría sola."
    TOO_MUCH_WORK "too_much_work" 422 "Too much work" / "Demasiado trabajo":
        "The call would run more statements on the database than any call may; send it in parts. Nothing was written."
        / "La llamada ejecutaría más sentencias en la base de datos de las que puede cualquier llamada; envíela en partes. No se escribió nada."
    IDEMPOTENCY_KEY_REUSED "idempotency_key_reused" 422 "Idempotency key reused" / "Clave de idempotencia reutilizada":
        "This `Idempotency-Key` came before with another request; use a new key for a new request."
        / "Esta `Idempotency-Key` ya llegó con otra solicitud; use una clave nueva para una solicitud nueva."
    BATCH_ABORTED "batch_aborted" 424 "Batch aborted" / "Lote anulado":
        "Another line of this atomic batch failed, so nothing of the batch was done."
        / "Otra línea de este lote atómico falló, así que no se hizo nada del lote."
    QUOTA_EXCEEDED "quota_exceeded" 429 "Too many requests" / "Demasiadas solicitudes":
        "A limit is used up: the key's own, that of a key it descends from (`parent-…`) or the organization's; `violated-policies` names it, `Retry-After` says when to come back."
        / "Se agotó un límite: el de la clave, el de una clave de la que desciende (`parent-…`) o el de la organización; `violated-policies` lo nombra, `Retry-After` dice cuándo volver."
    HEADERS_TOO_LARGE "headers_too_large" 431 "Headers too large" / "Encabezados demasiado grandes":
        "The headers are larger than this server reads." / "Los encabezados son más grandes de lo que este servidor lee."
    INTERNAL_ERROR "internal_error" 500 "Internal error" / "Error interno":
        "Something went wrong on our side and nothing was written; `request_id` finds it in our logs."
        / "Algo falló de nuestro lado y no se escribió nada; `request_id` lo ubica en nuestros registros."
    BUSY "busy" 503 "Busy" / "Ocupado":
        "Too much was going on at the same moment. Nothing was written; try again."
        / "Había demasiado en curso en el mismo momento. No se escribió nada; intente de nuevo."
    DATABASE_UNAVAILABLE "database_unavailable" 503 "Database unavailable" / "Base de datos no disponible":
        "The database does not answer, or takes no changes now. Try again after `Retry-After` seconds, with the same `Idempotency-Key`: where its answer was lost on the way, the change may have been made."
        / "La base de datos no responde, o no acepta cambios ahora. Intente de nuevo tras `Retry-After` segundos, con la misma `Idempotency-Key`: si su respuesta se perdió en el camino, el cambio puede haberse hecho."
    STORAGE_FULL "storage_full" 507 "Storage full" / "Almacenamiento lleno":
        "The disk of the database has no room. The change was not made; try again after `Retry-After` seconds, with the same `Idempotency-Key`."
        / "El disco de la base de datos no tiene espacio. El cambio no se hizo; intente de nuevo tras `Retry-After` segundos, con la misma `Idempotency-Key`."
}
